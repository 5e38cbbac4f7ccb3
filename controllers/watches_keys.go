package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// tunnelKeyChanges pass networks whose key on record has changed: whoever removes
// one asks for another.
var tunnelKeyChanges = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.(*v1alpha1.L2Network).Status.TunnelKey != e.ObjectNew.(*v1alpha1.L2Network).Status.TunnelKey
	},
	DeleteFunc: func(event.DeleteEvent) bool { return false },
}

// keyedChanges pass networks whose attachments may get a tunnel key now, or have to
// say why they do not.
var keyedChanges = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { return keyedOf(e.Object).key != 0 },
	UpdateFunc: func(e event.UpdateEvent) bool { return keyedOf(e.ObjectOld) != keyedOf(e.ObjectNew) },
	DeleteFunc: func(event.DeleteEvent) bool { return false },
}

// networkKeyed is what of a network an attachment's key depends on.
type networkKeyed struct {
	key     int32
	inForce bool
	why     string // the reason that it has none
}

func keyedOf(o client.Object) networkKeyed {
	network := o.(*v1alpha1.L2Network)
	k := networkKeyed{key: network.Status.TunnelKey, inForce: network.Status.InForce != nil}
	c := meta.FindStatusCondition(network.Status.Conditions, v1alpha1.ConditionProgrammed)
	if c != nil && (c.Reason == v1alpha1.ReasonNoTunnelKey || c.Reason == v1alpha1.ReasonTunnelKeyTaken) {
		k.why = c.Reason
	}
	return k
}

// attachmentsOf are those that name the network, or are on it.
func (p *placement) attachmentsOf(ctx context.Context, network client.Object) []reconcile.Request {
	list := &v1alpha1.L2AttachmentList{}
	on := client.MatchingFields{networkIndex: client.ObjectKeyFromObject(network).String()}
	if err := p.cached.List(ctx, list, on, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "List attachments by network")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, request(client.ObjectKeyFromObject(&list.Items[i])))
	}
	return requests
}
