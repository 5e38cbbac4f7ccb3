package controllers

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// finished says whether a network that is being deleted has nothing to wait for.
func (f networkFacts) finished() bool {
	return !f.network.DeletionTimestamp.IsZero() && (f.Members == 0 || f.goes)
}

// finalize removes the switch of a network that has no members, or goes whatever
// it has, and lets it go.
func (r *L2NetworkReconciler) finalize(ctx context.Context, f networkFacts) error {
	key := client.ObjectKeyFromObject(f.network)
	err := r.sweep(ctx, key)
	if err != nil {
		r.ports.note(key, f.network.Generation, err)
		r.statuses.wake(key)
		return err
	}
	if controllerutil.RemoveFinalizer(f.network, v1alpha1.NetworkFinalizer) {
		if err := setFinalizers(ctx, r, f.network); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove finalizer of network %q: %w", key, err)
		}
	}
	return nil
}

// gone cleans up behind a network that the API does not have, and wakes the
// attachments that name it.
func (r *L2NetworkReconciler) gone(ctx context.Context, key types.NamespacedName) error {
	r.placement.ledger.Close(key)
	r.ports.forget(key)
	r.placement.keys.networkGone(key)
	if err := r.placement.stretches.gone(ctx, key); err != nil {
		return err
	}
	if err := r.wakeAttachments(ctx, key); err != nil {
		return err
	}
	return r.sweep(ctx, key)
}

// wakeAttachments has those looked at that name the network, or are on it.
func (r *L2NetworkReconciler) wakeAttachments(ctx context.Context, key types.NamespacedName) error {
	list := &v1alpha1.L2AttachmentList{}
	if err := r.List(ctx, list, client.MatchingFields{networkIndex: key.String()}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list attachments of network %q: %w", key, err)
	}
	for i := range list.Items {
		r.attachments.wake(client.ObjectKeyFromObject(&list.Items[i]))
	}
	return nil
}

// sweep removes what the database holds of a network.
func (r *L2NetworkReconciler) sweep(ctx context.Context, key types.NamespacedName) error {
	if !r.Northbound.Connected() {
		return ovn.ErrNotConnected
	}
	r.filling.settle(key, false)
	if err := r.Northbound.Delete(ctx, ovn.Key{Namespace: key.Namespace, Name: key.Name}); err != nil {
		return fmt.Errorf("delete network %q from the northbound database: %w", key, err)
	}
	r.attachments.wake(slices.DeleteFunc(r.ports.drop(key), v1alpha1.IsEdge)...)
	return nil
}
