package controllers

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// end removes an L2Remote whose network is not to go on behind its peer any more. An edge
// does that, too, but there may be none left that runs. The network's status, which edges
// follow, must say so already: an edge would write the L2Remote again.
func (r *L2RemoteReconciler) end(ctx context.Context, remote *v1alpha1.L2Remote) error {
	key := types.NamespacedName{Namespace: remote.Namespace, Name: remote.Network}
	network, err := r.placement.network(ctx, key)
	if err != nil || network == nil {
		return err // the garbage collector removes it, by its owner
	}
	if ended, err := r.ended(ctx, network, remote.Peer); err != nil || !ended {
		return err
	}
	// An edge may have heard more than this cache, and have written since a peer is in force
	// again: for a moment pods could get what is elsewhere.
	live := &v1alpha1.L2Network{}
	if err := r.placement.live.Get(ctx, key, live); err != nil {
		return client.IgnoreNotFound(err)
	}
	if ended, err := r.ended(ctx, live, remote.Peer); err != nil || !ended {
		return err
	}
	if err := deleteThis(ctx, r, remote); err != nil {
		return fmt.Errorf("delete L2Remote %q: %w", client.ObjectKeyFromObject(remote), err)
	}
	log.FromContext(ctx).Info("What a peer announced is not held any more: its network does not go on behind it", "L2Network", key, "peer", remote.Peer)
	return nil
}

func (r *L2RemoteReconciler) ended(ctx context.Context, network *v1alpha1.L2Network, peer string) (bool, error) {
	if slices.Contains(inForceOn(network), peer) {
		return false, nil
	}
	agreed, err := r.placement.stretches.agreed(ctx, network, peer)
	return err == nil && !agreed, err
}

// inForceOn are the peers that edges may have the network go on behind.
func inForceOn(network *v1alpha1.L2Network) []string {
	if network.Status.Stretch == nil {
		return nil
	}
	var names []string
	for _, p := range network.Status.Stretch.Peers {
		names = append(names, p.Name)
	}
	return names
}

// ofNetwork are the L2Remotes of a network.
func (r *L2RemoteReconciler) ofNetwork(ctx context.Context, network client.Object) []reconcile.Request {
	list := &v1alpha1.L2RemoteList{}
	err := r.List(ctx, list, client.InNamespace(network.GetNamespace()), client.MatchingFields{remoteIndex: network.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		log.FromContext(ctx).Error(err, "List L2Remotes")
	}
	var all []reconcile.Request
	for i := range list.Items {
		all = append(all, request(client.ObjectKeyFromObject(&list.Items[i])))
	}
	return all
}

// goesOnElsewhere passes networks that have other peers in force than before. Of one that
// has none, what is said of that tells why: nodes are away, or somebody takes it back.
var goesOnElsewhere = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.L2Network), e.ObjectNew.(*v1alpha1.L2Network)
		if before, now := inForceOn(was), inForceOn(is); len(now) > 0 || len(before) > 0 {
			return !slices.Equal(before, now)
		}
		return !equality.Semantic.DeepEqual(
			meta.FindStatusCondition(was.Status.Conditions, v1alpha1.ConditionStretched), meta.FindStatusCondition(is.Status.Conditions, v1alpha1.ConditionStretched))
	},
	CreateFunc: func(event.CreateEvent) bool { return false }, // L2Remotes are looked at then, too
	DeleteFunc: func(event.DeleteEvent) bool { return false }, // the garbage collector's
}
