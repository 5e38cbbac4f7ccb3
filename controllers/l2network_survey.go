package controllers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
)

// judge puts in force what can be of the network's spec. All of its attachments
// are looked at when that is another than the database was written for.
func (r *L2NetworkReconciler) judge(ctx context.Context, network *v1alpha1.L2Network) (admission.Report, error) {
	key := client.ObjectKeyFromObject(network)
	report := r.placement.ledger.Judge(network)
	for surveyed := int64(0); report.Version != surveyed && r.ports.stale(key, report.Version); {
		surveyed = report.Version
		if err := r.survey(ctx, key); err != nil {
			return report, err
		}
		r.placement.ledger.Open(key)
		report = r.placement.ledger.Judge(network) // by what is on record
	}
	return report, nil
}

// survey finds the place of every attachment of the network, since its spec in
// force is another or nothing is known yet, and wakes those that may have
// something else to say.
func (r *L2NetworkReconciler) survey(ctx context.Context, key types.NamespacedName) error {
	list := &v1alpha1.L2AttachmentList{}
	if err := r.List(ctx, list, client.MatchingFields{networkIndex: key.String()}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list attachments of network %q: %w", key, err)
	}
	records := &records{reads: &r.placement.reads, ctx: ctx}
	for _, ranked := range admission.ByPrecedence(list.Items, records.Pod) {
		owner := client.ObjectKeyFromObject(ranked.Attachment)
		if err := r.placeOne(ctx, owner); err != nil {
			return err
		}
		r.attachments.wake(owner)
	}
	return nil
}

// placeOne finds the place of an attachment that has all on record that it needs,
// and says what its port is. What has to be written of others is their own
// reconcile's.
func (r *L2NetworkReconciler) placeOne(ctx context.Context, owner types.NamespacedName) error {
	defer r.placement.turns.Take(owner)()
	a := &v1alpha1.L2Attachment{}
	if err := r.Get(ctx, owner, a, client.UnsafeDisableDeepCopy); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !a.DeletionTimestamp.IsZero() || !a.Complete() {
		return nil
	}
	pod, err := r.placement.pod(ctx, a)
	if err != nil {
		return err
	}
	f, err := r.placement.gather(ctx, a, pod, nil)
	if err != nil {
		return err
	}
	at, err := r.placement.take(f)
	if errors.Is(err, admission.ErrBehind) {
		return nil // it lacks addresses, and asks for them when the network is open
	}
	if err != nil {
		return err
	}
	if r.placement.keys.direct {
		r.networks.wake(r.ports.follow(at, a)...)
	}
	return nil
}
