package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// podPolicy adds what follows the policy that has pods attached as they start. Where
// container runtimes tell agents of pods there is none.
func (s *setup) podPolicy() error {
	if s.config.AttachBy == v1alpha1.AttachNRI {
		s.policy.state.Store(int32(policyThere)) // what it does is not needed
		return nil
	}
	asked, err := discovery.NewDiscoveryClientForConfigAndClient(s.mgr.GetConfig(), s.mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("make a discovery client: %w", err)
	}
	r := &PodPolicyReconciler{
		Reader: s.mgr.GetClient(), discovery: asked, policy: s.policy, statuses: s.statuses, await: s.awaitServer,
	}
	s.policies.wake(types.NamespacedName{})
	c, err := ctrl.NewControllerManagedBy(s.mgr).Named("podpolicy").
		WatchesRawSource(s.policies).
		WithOptions(s.options("podpolicy", 1)).
		Build(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the controller of the pods' policy: %w", err)
	}
	r.watch = func(ctx context.Context) (client.Reader, error) { return s.watchPodPolicy(ctx, c) }
	return nil
}

// watchPodPolicy starts a cache of the policy and its binding, and nothing else. It
// is one of its own since the manager's must know of all kinds when it is made.
func (s *setup) watchPodPolicy(ctx context.Context, c controller.Controller) (client.Reader, error) {
	both, err := cache.New(s.mgr.GetConfig(), cache.Options{
		Scheme: s.mgr.GetScheme(), HTTPClient: s.mgr.GetHTTPClient(),
		DefaultFieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, v1alpha1.PodNetworksPolicy),
	})
	if err != nil {
		return nil, fmt.Errorf("make a cache of policies: %w", err)
	}
	if err := s.mgr.Add(both); err != nil {
		return nil, fmt.Errorf("start a cache of policies: %w", err)
	}
	if !both.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("start a cache of policies: %w", ctx.Err())
	}
	for _, o := range policyObjects() {
		toOne := handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *metav1.PartialObjectMetadata) []reconcile.Request {
			return []reconcile.Request{{}}
		})
		if err := c.Watch(source.Kind(both, o, toOne)); err != nil {
			return nil, fmt.Errorf("watch %s: %w", o.Kind, err)
		}
	}
	return both, nil
}

// awaitServer wakes the policy's controller whenever the API server may be another,
// of another version: no event says that one serves a kind from now on, but the
// watches of the one that ends begin again at the other. One of an object that every
// API server has is enough for that.
func (s *setup) awaitServer() (cancel func(), err error) {
	crd, err := watchCRD(s.mgr.GetConfig(), multusCRD)
	if err != nil {
		return nil, err
	}
	again := &toolscache.ListWatch{
		ListWithContextFunc: crd.ListWithContextFunc,
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := crd.WatchFuncWithContext(ctx, o)
			if err == nil {
				s.policies.wake(types.NamespacedName{})
			}
			return w, err
		},
	}
	until, cancel := context.WithCancel(context.Background())
	err = s.mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		ctx, end := context.WithCancel(ctx)
		defer end()
		context.AfterFunc(until, end)
		toolscache.NewReflector(again, &metav1.PartialObjectMetadata{}, toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), 0).RunWithContext(ctx)
		return nil
	}))
	return cancel, err
}
