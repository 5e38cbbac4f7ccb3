package controllers

import (
	"context"
	"fmt"
	"sync"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/internal/multus"
	"l2sm.io/l2sm/internal/peers"
)

// peerKind is one that says what networks OVN-Kubernetes has.
type peerKind struct {
	kind schema.GroupVersionKind
	crd  string
	// of is an object of it, as it is read.
	of client.Object
	// set notes whether an object is there, and returns those of our networks that may
	// meet something else than before.
	set func(o client.Object, is bool) []types.NamespacedName
}

func (p *peerNetworks) kinds() []peerKind {
	namespaced, clusterWide := &metav1.PartialObjectMetadata{}, &unstructured.Unstructured{}
	namespaced.SetGroupVersionKind(peers.Namespaced)
	clusterWide.SetGroupVersionKind(peers.ClusterWide)
	return []peerKind{
		{multusKind, multusCRD, &nadv1.NetworkAttachmentDefinition{}, p.setDefinition},
		{peers.Namespaced, peers.NamespacedCRD, namespaced, p.setNamespaced},
		{peers.ClusterWide, peers.ClusterWideCRD, clusterWide, p.setClusterWide},
	}
}

func (p *peerNetworks) setDefinition(o client.Object, is bool) []types.NamespacedName {
	d, key := o.(*nadv1.NetworkAttachmentDefinition), client.ObjectKeyFromObject(o)
	if !is || multus.Keeps(d) {
		return p.SetDefinition(key, nil, false)
	}
	subnets, theirs := peers.Subnets(d.Spec.Config)
	return p.SetDefinition(key, subnets, theirs)
}

func (p *peerNetworks) setNamespaced(o client.Object, is bool) []types.NamespacedName {
	return p.SetNamespaced(client.ObjectKeyFromObject(o), is)
}

func (p *peerNetworks) setClusterWide(o client.Object, is bool) []types.NamespacedName {
	if !is {
		return p.SetClusterWide(o.GetName(), nil)
	}
	return p.SetClusterWide(o.GetName(), selectorOf(o.(*unstructured.Unstructured)))
}

// ofNamespace are our networks that may meet others after a namespace was relabelled.
func (p *peerNetworks) ofNamespace(_ context.Context, namespace client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, key := range p.Relabelled(namespace.GetName()) {
		requests = append(requests, request(key))
	}
	return requests
}

// peers has OVN-Kubernetes' networks be followed, each kind of them once it is served.
func (s *setup) peers() error {
	if s.placement.peers == nil {
		return nil
	}
	for _, k := range s.placement.peers.kinds() {
		crd, err := watchCRD(s.mgr.GetConfig(), k.crd)
		if err != nil {
			return err
		}
		var once sync.Once
		settle := func(ctx context.Context) { once.Do(func() { s.placement.peers.settled(ctx, s.statuses) }) }
		await := &awaitKind{
			mapper: s.mgr.GetRESTMapper(), kind: k.kind, crd: crd, absent: settle,
			start: func(ctx context.Context) error { return s.watchPeers(ctx, k, settle) },
		}
		if err := s.mgr.Add(await); err != nil {
			return fmt.Errorf("await kind %s: %w", k.kind.Kind, err)
		}
	}
	return nil
}

// watchPeers watches one kind from now on, and returns once it was read.
func (s *setup) watchPeers(ctx context.Context, k peerKind, settle func(context.Context)) error {
	informer, err := s.mgr.GetCache().GetInformer(ctx, k.of, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch %s: %w", k.kind.Kind, err)
	}
	say := func(o any, is bool) {
		if last, gone := o.(toolscache.DeletedFinalStateUnknown); gone {
			o = last.Obj
		}
		if object, of := o.(client.Object); of {
			s.statuses.wake(k.set(object, is)...)
		}
	}
	registered, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { say(o, true) },
		UpdateFunc: func(_, o any) { say(o, true) },
		DeleteFunc: func(o any) { say(o, false) },
	})
	if err != nil {
		return fmt.Errorf("watch %s: %w", k.kind.Kind, err)
	}
	if toolscache.WaitForCacheSync(ctx.Done(), registered.HasSynced) {
		settle(ctx)
	}
	return nil
}
