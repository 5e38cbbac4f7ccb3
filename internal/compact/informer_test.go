package compact_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	fcache "k8s.io/client-go/tools/cache/testing"

	"l2sm.io/l2sm/internal/compact"
)

// kept is a pod of which its node is read.
type kept struct{ namespace, name, node string }

func (k *kept) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: k.namespace, Name: k.name}
}

func (k *kept) Expand() runtime.Object { return pod(k.name, k.node) }

func pod(name, node string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: corev1.PodSpec{NodeName: node}}
}

func keep(o any) (any, error) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	return &kept{p.Namespace, p.Name, p.Spec.NodeName}, nil
}

func byNode(o any) ([]string, error) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return nil, errors.New("not expanded")
	}
	return []string{p.Spec.NodeName}, nil
}

// seen are the events that a handler was called with, by the pods' nodes.
type seen struct {
	mu  sync.Mutex
	all []string
}

func (s *seen) add(kind string, objects ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		kind += " " + o.(*corev1.Pod).Spec.NodeName
	}
	s.all = append(s.all, kind)
}

func (s *seen) events() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

func (s *seen) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { s.add("add", o) },
		UpdateFunc: func(was, is any) { s.add("update", was, is) },
		DeleteFunc: func(o any) {
			if gone, is := o.(cache.DeletedFinalStateUnknown); is {
				s.add("lost", gone.Obj)
				return
			}
			s.add("delete", o)
		},
	}
}

func start(t *testing.T) (*fcache.FakeControllerSource, cache.SharedIndexInformer, cache.SharedIndexInformer) {
	t.Helper()
	source := fcache.NewFakeControllerSource()
	t.Cleanup(source.Shutdown)
	within := cache.NewSharedIndexInformer(source, &corev1.Pod{}, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	if err := within.SetTransform(keep); err != nil {
		t.Fatal(err)
	}
	return source, within, compact.Informer(within)
}

func run(t *testing.T, informer cache.SharedIndexInformer) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		informer.RunWithContext(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

func TestReads(t *testing.T) {
	source, within, informer := start(t)
	if err := informer.AddIndexers(cache.Indexers{"node": byNode}); err != nil {
		t.Fatal(err)
	}
	source.Add(pod("a", "node-1"))
	run(t, informer)
	NewWithT(t).Eventually(informer.HasSynced).Should(BeTrue())
	want := pod("a", "node-1")

	reads := map[string]struct {
		reason string
		read   func(cache.Indexer) ([]any, error)
	}{
		"Key": {"controller-runtime's Get", func(i cache.Indexer) ([]any, error) {
			o, _, err := i.GetByKey("default/a")
			return []any{o}, err
		}},
		"Object": {"by an object with its key", func(i cache.Indexer) ([]any, error) {
			o, _, err := i.Get(pod("a", ""))
			return []any{o}, err
		}},
		"List":      {"all", func(i cache.Indexer) ([]any, error) { return i.List(), nil }},
		"Namespace": {"an index of the informer's own", func(i cache.Indexer) ([]any, error) { return i.ByIndex(cache.NamespaceIndex, "default") }},
		"Index":     {"an index that was added sees pods", func(i cache.Indexer) ([]any, error) { return i.ByIndex("node", "node-1") }},
		"Alike":     {"what an index has for an object like it", func(i cache.Indexer) ([]any, error) { return i.Index("node", pod("b", "node-1")) }},
	}
	for name, tc := range reads {
		t.Run(name, func(t *testing.T) {
			got, err := tc.read(informer.GetIndexer())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{want}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	if o, is, err := informer.GetStore().GetByKey("default/none"); o != nil || is || err != nil {
		t.Errorf("what is not there: got %v, %t, %v", o, is, err)
	}
	if _, is := within.GetStore().List()[0].(*kept); !is {
		t.Errorf("the store keeps %T", within.GetStore().List()[0])
	}
}

func TestEvents(t *testing.T) {
	add := map[string]func(cache.SharedIndexInformer, cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error){
		"Plain": func(i cache.SharedIndexInformer, h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
			return i.AddEventHandler(h)
		},
		"Resync": func(i cache.SharedIndexInformer, h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
			return i.AddEventHandlerWithResyncPeriod(h, time.Hour)
		},
		"Options": func(i cache.SharedIndexInformer, h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
			return i.AddEventHandlerWithOptions(h, cache.HandlerOptions{})
		},
	}
	for name, add := range add {
		t.Run(name, func(t *testing.T) {
			source, _, informer := start(t)
			s := &seen{}
			if _, err := add(informer, s.handler()); err != nil {
				t.Fatal(err)
			}
			run(t, informer)
			g := NewWithT(t)
			var want []string
			for _, step := range []struct {
				act   func(runtime.Object)
				node  string
				event string
			}{
				{source.Add, "node-1", "add node-1"},
				{source.Modify, "node-2", "update node-1 node-2"},
				{source.Delete, "node-2", "delete node-2"},
			} {
				step.act(pod("a", step.node))
				want = append(want, step.event)
				g.Eventually(s.events).Should(Equal(want))
			}
		})
	}
}

// What went while the informer was disconnected comes as a tombstone, with the
// object as it was known last.
func TestTombstone(t *testing.T) {
	source, _, informer := start(t)
	s := &seen{}
	if _, err := informer.AddEventHandler(s.handler()); err != nil {
		t.Fatal(err)
	}
	source.Add(pod("a", "node-1"))
	run(t, informer)
	g := NewWithT(t)
	g.Eventually(s.events).Should(Equal([]string{"add node-1"}))
	source.DeleteDropWatch(pod("a", "node-1"))
	source.ResetWatch()
	g.Eventually(s.events, 10*time.Second).Should(Equal([]string{"add node-1", "lost node-1"}))
}
