package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	clientcache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/scale/stack"
)

// watcher follows networks and attachments by watch, as a user's tools would, and notes when each came to what.
type watcher struct {
	mu          sync.Mutex
	networks    map[types.NamespacedName]bool // whether it is programmed
	attachments map[types.NamespacedName]*attachment
	byPod       map[types.NamespacedName]*attachment
}

// attachment is when an attachment was seen to be complete, and whether it is accepted.
type attachment struct {
	complete time.Time
	accepted bool
	port     string
}

func watchAPI(ctx context.Context, config *rest.Config) (*watcher, error) {
	scheme, err := stack.Scheme()
	if err != nil {
		return nil, err
	}
	c, err := cache.New(config, cache.Options{Scheme: scheme, DefaultTransform: cache.TransformStripManagedFields()})
	if err != nil {
		return nil, fmt.Errorf("make watches: %w", err)
	}
	w := &watcher{
		networks: map[types.NamespacedName]bool{}, attachments: map[types.NamespacedName]*attachment{},
		byPod: map[types.NamespacedName]*attachment{},
	}
	go func() { _ = c.Start(ctx) }() // ends with the context, and its watches are tried again until then
	for object, h := range map[client.Object]func(any, bool){&v1alpha1.L2Network{}: w.network, &v1alpha1.L2Attachment{}: w.attachment} {
		informer, err := c.GetInformer(ctx, object)
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", object, err)
		}
		_, err = informer.AddEventHandler(clientcache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { h(o, false) },
			UpdateFunc: func(_, o any) { h(o, false) },
			DeleteFunc: func(o any) {
				if last, ok := o.(clientcache.DeletedFinalStateUnknown); ok {
					o = last.Obj
				}
				h(o, true)
			},
		})
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *watcher) network(o any, gone bool) {
	n := o.(*v1alpha1.L2Network)
	w.mu.Lock()
	defer w.mu.Unlock()
	key := client.ObjectKeyFromObject(n)
	if gone {
		delete(w.networks, key)
		return
	}
	w.networks[key] = meta.IsStatusConditionTrue(n.Status.Conditions, "Programmed")
}

func (w *watcher) attachment(o any, gone bool) {
	a := o.(*v1alpha1.L2Attachment)
	w.mu.Lock()
	defer w.mu.Unlock()
	key, pod := client.ObjectKeyFromObject(a), types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.PodName}
	if gone {
		delete(w.attachments, key)
		delete(w.byPod, pod)
		return
	}
	seen := w.attachments[key]
	if seen == nil {
		seen = &attachment{}
		w.attachments[key], w.byPod[pod] = seen, seen
	}
	if seen.complete.IsZero() && a.Spec.MACAddress != "" {
		seen.complete = time.Now()
	}
	seen.port = a.Status.PortName
	seen.accepted = a.Status.PortName != "" && meta.IsStatusConditionTrue(a.Status.Conditions, "Accepted")
}

// counts are the networks and those programmed, the attachments and those accepted.
func (w *watcher) counts() (networks, programmed, attachments, accepted int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, done := range w.networks {
		if done {
			programmed++
		}
	}
	for _, a := range w.attachments {
		if a.accepted {
			accepted++
		}
	}
	return len(w.networks), programmed, len(w.attachments), accepted
}

// ofPod returns what is known of a pod's attachment.
func (w *watcher) ofPod(pod types.NamespacedName) (attachment, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.byPod[pod]
	if a == nil {
		return attachment{}, false
	}
	return *a, true
}
