package controllers

import (
	"context"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// serves is an API that serves Multus' kind after so many were told that it has none.
type serves struct {
	meta.RESTMapper
	asked, after atomic.Int32
}

func (s *serves) RESTMapping(kind schema.GroupKind, _ ...string) (*meta.RESTMapping, error) {
	if s.asked.Add(1) <= s.after.Load() {
		return nil, &meta.NoKindMatchError{GroupKind: kind}
	}
	return &meta.RESTMapping{}, nil
}

// listed is a fake that lists first: the new way, a watch that begins with all
// that there is, is not for fakes.
type listed struct{ *cache.ListWatch }

func (listed) IsWatchListSemanticsUnSupported() bool { return true }

// The API is not asked again and again for Multus: its definition's watch says
// when to.
func TestMultusIsAwaited(t *testing.T) {
	events := watch.NewFake()
	watched := make(chan struct{}, 1)
	crd := listed{&cache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return &metav1.PartialObjectMetadataList{}, nil
		},
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			watched <- struct{}{}
			return events, nil
		},
	}}
	api := &serves{}
	api.after.Store(4)
	started := make(chan error, 1)
	missed := 0
	m := &awaitKind{mapper: api, crd: crd, absent: func(context.Context) { missed++ }, start: func(context.Context) error { started <- nil; return nil }}
	ended := make(chan error, 1)
	go func() { ended <- m.Start(t.Context()) }()

	<-watched
	if asked := api.asked.Load(); asked != 1 {
		t.Errorf("the API was asked %d times before there was anything new, want once", asked)
	}
	events.Add(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: multusCRD, ResourceVersion: "1"}})
	<-started
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if missed != 1 {
		t.Errorf("it was said %d times that the kind is missing, want once", missed)
	}
	if asked := api.asked.Load(); asked != 5 {
		t.Errorf("the API was asked %d times, want 5: it serves a kind some time after its definition was made", asked)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := &serves{}
	never.after.Store(1 << 30)
	m = &awaitKind{mapper: never, crd: crd, absent: func(context.Context) {}, start: func(context.Context) error { t.Error("started without Multus"); return nil }}
	if err := m.Start(ctx); err != nil {
		t.Errorf("a controller that ends before Multus comes has failed: %v", err)
	}
}
