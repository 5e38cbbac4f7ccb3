package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/ovn"
)

// follow enqueues the networks whose rows are not what was last applied, and
// after a connection was made every network that the API or the database has:
// the latter alone are swept.
func (r *L2NetworkReconciler) follow(ctx context.Context, northbound *ovn.Client, q queue) {
	for change := range northbound.Changes() {
		if !change.All {
			r.ports.compare(types.NamespacedName(change.Key))
			q.Add(request(types.NamespacedName(change.Key)))
			continue
		}
		r.authorities.wake(systemKey(identity.AuthorityName)) // a new database trusts no node yet
		keys, err := northbound.Networks()
		if err != nil {
			log.FromContext(ctx).Info("Northbound went away again before it could be compared", "reason", err.Error())
		}
		for _, key := range keys {
			q.Add(request(types.NamespacedName(key)))
		}
		r.fill(ctx, q)
	}
}

// fill enqueues every network that the API has. With none there is nothing to
// wait for.
func (r *L2NetworkReconciler) fill(ctx context.Context, q queue) {
	list := &v1alpha1.L2NetworkList{}
	if err := r.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "List networks")
		return
	}
	var networks []types.NamespacedName
	for i := range list.Items {
		networks = append(networks, client.ObjectKeyFromObject(&list.Items[i]))
	}
	r.filling.begin(networks)
	for _, key := range networks {
		r.ports.compare(key)
		q.Add(request(key))
	}
	if err := r.complete(ctx); err != nil {
		log.FromContext(ctx).Error(err, "Mark the northbound database complete")
	}
}
