package controllers

import (
	"context"
	"slices"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/stretch"
)

// allowsElse passes L2Peers that come, go, or allow something else than before. What
// they say of networks is peerEvents'.
var allowsElse = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() || e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration()
	},
}

// ofPeer are the networks that name the peer.
func (s *stretches) ofPeer(ctx context.Context, peer client.Object) []reconcile.Request {
	return s.requests(ctx, peerIndexed(peer.GetName()))
}

func (s *stretches) requests(ctx context.Context, value string) []reconcile.Request {
	keys, err := s.keysNaming(ctx, value)
	if err != nil {
		log.FromContext(ctx).Error(err, "List networks that are stretched")
	}
	return requestsFor(keys)
}

func requestsFor(keys []types.NamespacedName) []reconcile.Request {
	var all []reconcile.Request
	for _, key := range keys {
		all = append(all, request(key))
	}
	return all
}

// ofNamespace are the namespace's networks that may go on elsewhere by its labels.
func (s *stretches) ofNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	keys, err := s.keysNaming(ctx, stretchIndexed)
	if err != nil {
		log.FromContext(ctx).Error(err, "List networks that are stretched")
	}
	return requestsFor(slices.DeleteFunc(keys, func(key types.NamespacedName) bool { return key.Namespace != namespace.GetName() }))
}

// peerEvents have the status of those networks written of which a peer says something
// else than before: of one after a while, in which more may come, and of all that name
// it where its session comes or goes.
func (s *stretches) peerEvents() handler.EventHandler {
	return handler.Funcs{UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
		was, is := e.ObjectOld.(*v1alpha1.L2Peer), e.ObjectNew.(*v1alpha1.L2Peer)
		if sessionOf(was) != sessionOf(is) {
			for _, request := range s.requests(ctx, peerIndexed(is.Name)) {
				q.Add(request)
			}
			return
		}
		for _, key := range stretch.Changed(was, is) {
			q.AddAfter(request(key), countsLater)
		}
	}}
}

// session is what networks say of a peer's sessions.
type session struct{ status, message string }

// sessionOf leaves out with how many of a peer's endpoints there is one: no network
// says that.
func sessionOf(peer *v1alpha1.L2Peer) session {
	ready := meta.FindStatusCondition(peer.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return session{}
	case ready.Reason == v1alpha1.ReasonReady:
		return session{status: string(ready.Status)}
	default:
		return session{string(ready.Status), ready.Message}
	}
}

// theEdge is the one key of what follows the L2Edge.
func theEdge(context.Context, client.Object) []reconcile.Request {
	return []reconcile.Request{request(types.NamespacedName{Name: v1alpha1.EdgeName})}
}

// otherHolder passes the Lease when another edge has it: it is renewed every few seconds.
var otherHolder = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		return holderOf(e.ObjectOld.(*coordinationv1.Lease)) != holderOf(e.ObjectNew.(*coordinationv1.Lease))
	},
}

// edgeNodes passes nodes that come, go, or may run an edge at another address, or not
// any more: most of a node's updates are heartbeats.
var edgeNodes = predicate.Or(predicate.LabelChangedPredicate{}, predicate.AnnotationChangedPredicate{})

// otherTunnels passes L2Nodes whose tunnels start elsewhere.
var otherTunnels = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		return !slices.Equal(e.ObjectOld.(*v1alpha1.L2Node).Status.TunnelAddresses, e.ObjectNew.(*v1alpha1.L2Node).Status.TunnelAddresses)
	},
}
