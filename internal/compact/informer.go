// Package compact lets an informer keep objects in a form of few bytes, and hand
// them out whole. A *corev1.Pod takes 1.8 KB before it holds anything, and a
// controller that reads a name, a node and a phase of each keeps all of the
// cluster.
//
// The informer's transform (cache.TransformFunc) returns an Object. What reads
// the store, is called with events or computes index values sees what the Object
// expands to, so that nothing but the transform knows of it.
package compact

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// Object is what the informer keeps of an object. Its metadata must hold the
// namespace, the name and the resource version, which the informer reads.
type Object interface {
	metav1.ObjectMetaAccessor
	// Expand makes a new object of the API's type.
	Expand() runtime.Object
}

// Informer makes an informer that hands out what it keeps expanded. Objects of
// other types it hands out as they are. Index functions that were given to the
// informer before see what is kept.
func Informer(keeps cache.SharedIndexInformer) cache.SharedIndexInformer { return informer{keeps} }

type informer struct{ cache.SharedIndexInformer }

func (i informer) GetIndexer() cache.Indexer { return indexer{i.SharedIndexInformer.GetIndexer()} }

func (i informer) GetStore() cache.Store { return i.GetIndexer() }

func (i informer) AddIndexers(by cache.Indexers) error { return i.GetIndexer().AddIndexers(by) }

func (i informer) AddEventHandler(h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return i.SharedIndexInformer.AddEventHandler(handler{h})
}

func (i informer) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, period time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	return i.SharedIndexInformer.AddEventHandlerWithResyncPeriod(handler{h}, period)
}

func (i informer) AddEventHandlerWithOptions(h cache.ResourceEventHandler, o cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	return i.SharedIndexInformer.AddEventHandlerWithOptions(handler{h}, o)
}

// handler expands the objects of events. Each handler gets objects of its own.
type handler struct{ cache.ResourceEventHandler }

func (h handler) OnAdd(o any, initial bool) { h.ResourceEventHandler.OnAdd(expand(o), initial) }

func (h handler) OnUpdate(was, is any) { h.ResourceEventHandler.OnUpdate(expand(was), expand(is)) }

func (h handler) OnDelete(o any) { h.ResourceEventHandler.OnDelete(expand(o)) }

func expand(object any) any {
	switch o := object.(type) {
	case Object:
		return o.Expand()
	case cache.DeletedFinalStateUnknown:
		o.Obj = expand(o.Obj)
		return o
	default:
		return object
	}
}
