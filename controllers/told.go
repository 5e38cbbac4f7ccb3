package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// told remembers what is wrong with each object of a kind, so that it is told
// once, and not at each look. What was mended and comes back is told again.
type told struct {
	mu      sync.Mutex
	objects map[types.NamespacedName]complaints
}

// complaints are all that is wrong with one object, or one life of a pod.
type complaints struct {
	uid    types.UID
	events map[v1alpha1.Event]bool
}

// tell records the events of all that is wrong with an object now, but for
// those that were told before.
func (t *told) tell(recorder events.EventRecorder, about client.Object, all []v1alpha1.Event) {
	for _, e := range t.news(about, all) {
		emit(recorder, about, e)
	}
}

func (t *told) news(about client.Object, all []v1alpha1.Event) []v1alpha1.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := client.ObjectKeyFromObject(about)
	if len(all) == 0 {
		delete(t.objects, key)
		return nil
	}
	before := t.objects[key]
	if before.uid != about.GetUID() {
		before = complaints{}
	}
	now := complaints{uid: about.GetUID(), events: map[v1alpha1.Event]bool{}}
	var news []v1alpha1.Event
	for _, e := range all {
		if !before.events[e] && !now.events[e] {
			news = append(news, e)
		}
		now.events[e] = true
	}
	if t.objects == nil {
		t.objects = map[types.NamespacedName]complaints{}
	}
	t.objects[key] = now
	return news
}

// forget is for an object that is gone.
func (t *told) forget(key types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.objects, key)
}
