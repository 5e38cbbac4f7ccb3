package controllers

import (
	"context"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]

// podChanges passes what the pod controller acts on: a pod that asks has got
// its node, has changed what it asks for, has ended, or is gone. Of a pod's
// many updates these are few. A pod that asks nothing may end, too: users make
// attachments for it.
func podChanges(names *interfaceNames, s *stages) predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			pod := e.Object.(*corev1.Pod)
			return pod.Spec.NodeName != "" && asks(pod)
		},
		UpdateFunc: func(e event.UpdateEvent) bool {
			was, is := e.ObjectOld.(*corev1.Pod), e.ObjectNew.(*corev1.Pod)
			scheduled := was.Spec.NodeName == "" && is.Spec.NodeName != "" && asks(is)
			if scheduled {
				s.podScheduled(is)
			}
			return scheduled || asksElse(was, is) || was.UID != is.UID || attach.Ended(was) != attach.Ended(is)
		},
		DeleteFunc: func(e event.DeleteEvent) bool {
			s.podServed(e.Object.GetUID())
			names.forget(e.Object.GetUID())
			return true
		},
	}
}

func asks(pod *corev1.Pod) bool {
	for _, key := range requestAnnotations {
		if pod.Annotations[key] != "" {
			return true
		}
	}
	return false
}

func asksElse(was, is *corev1.Pod) bool {
	for _, key := range requestAnnotations {
		if was.Annotations[key] != is.Annotations[key] {
			return true
		}
	}
	return false
}

// podsNaming maps a NetworkAttachmentDefinition to the pods whose Multus
// annotation names it.
func podsNaming(reader client.Reader) handler.TypedEventHandler[*nadv1.NetworkAttachmentDefinition, ctrl.Request] {
	return handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, d *nadv1.NetworkAttachmentDefinition) []reconcile.Request {
		pods := &corev1.PodList{}
		err := reader.List(ctx, pods, client.MatchingFields{definitionIndex: client.ObjectKeyFromObject(d).String()})
		if err != nil {
			log.FromContext(ctx).Error(err, "List pods by definition")
			return nil
		}
		var requests []reconcile.Request
		for i := range pods.Items {
			requests = append(requests, request(client.ObjectKeyFromObject(&pods.Items[i])))
		}
		return requests
	})
}

// attachmentEvents requeue each attachment that changes, and release what a
// deleted one had before others ask for it.
func attachmentEvents(p *placement, names *interfaceNames, s *stages) handler.EventHandler {
	gone := func(o client.Object) {
		a := o.(*v1alpha1.L2Attachment)
		p.ledger.Withdraw(a)
		names.free(a.Spec.PodUID, a.Spec.Interface)
		s.attachmentGone(client.ObjectKeyFromObject(a))
	}
	add := func(q queue, o client.Object) { q.Add(request(client.ObjectKeyFromObject(o))) }
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if e.ObjectOld.GetUID() != e.ObjectNew.GetUID() {
				gone(e.ObjectOld)
			}
			add(q, e.ObjectNew)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			gone(e.Object)
			add(q, e.Object)
		},
	}
}

// attachmentSpecChanges passes attachments that come, go, or serve another entry.
var attachmentSpecChanges = predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})

// userMadeFor maps a pod to the attachments that users have made for its name.
func userMadeFor(reader client.Reader) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		list := &v1alpha1.L2AttachmentList{}
		err := reader.List(ctx, list, client.InNamespace(o.GetNamespace()), client.MatchingFields{podIndex: o.GetName()}, client.UnsafeDisableDeepCopy)
		if err != nil {
			log.FromContext(ctx).Error(err, "List attachments by pod")
			return nil
		}
		var requests []reconcile.Request
		for i := range list.Items {
			if attach.UserMade(&list.Items[i]) {
				requests = append(requests, request(client.ObjectKeyFromObject(&list.Items[i])))
			}
		}
		return requests
	}
}

// podLives passes what a user's attachment is bound by: a pod that got its node,
// ended or went, and what it asks for.
var podLives = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { return e.Object.(*corev1.Pod).Spec.NodeName != "" },
	UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*corev1.Pod), e.ObjectNew.(*corev1.Pod)
		return was.UID != is.UID || was.Spec.NodeName != is.Spec.NodeName || attach.Ended(was) != attach.Ended(is) || asksElse(was, is)
	},
}

// networkChanges pass what a network's status may have to follow, and what was
// written to it: when the controller found nothing to write, its cache may have
// been behind. The wording of a condition is not passed: that of an error may
// differ each time, and would be written each time.
var networkChanges = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.L2Network), e.ObjectNew.(*v1alpha1.L2Network)
		return was.UID != is.UID || was.Generation != is.Generation || !equality.Semantic.DeepEqual(unworded(was.Status), unworded(is.Status))
	},
}

func unworded(status v1alpha1.L2NetworkStatus) v1alpha1.L2NetworkStatus {
	status.Conditions = slices.Clone(status.Conditions)
	for i := range status.Conditions {
		status.Conditions[i].Message = ""
	}
	return status
}

// specChanges pass a network whose spec, or deletion, is to be looked at.
var specChanges = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() || e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration()
	},
}

// networksOf are the networks of a namespace that is being deleted: they wait
// for their attachments no longer.
func (r *L2NetworkReconciler) networksOf(ctx context.Context, namespace client.Object) []reconcile.Request {
	list := &v1alpha1.L2NetworkList{}
	if err := r.List(ctx, list, client.InNamespace(namespace.GetName()), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "List networks")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, request(client.ObjectKeyFromObject(&list.Items[i])))
	}
	return requests
}

// guestsOf are the attachments of a namespace on networks that select namespaces
// by their labels.
func (p *placement) guestsOf(ctx context.Context, namespace client.Object) []reconcile.Request {
	list := &v1alpha1.L2AttachmentList{}
	if err := p.cached.List(ctx, list, client.InNamespace(namespace.GetName()), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "List attachments")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		a := &list.Items[i]
		for _, key := range a.Networks() {
			network, err := p.network(ctx, key)
			if key.Namespace != a.Namespace && err == nil && network != nil && selects(network) {
				requests = append(requests, request(client.ObjectKeyFromObject(a)))
			}
		}
	}
	return requests
}

// follow enqueues our chassis after a connection was made or one appeared.
func (r *NodeReconciler) follow(ctx context.Context, changes <-chan struct{}, q queue) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		}
		names, err := r.Southbound.Chassis()
		if err != nil {
			log.FromContext(ctx).Info("Southbound went away again before it could be compared", "reason", err.Error())
		}
		for _, name := range names {
			q.Add(request(types.NamespacedName{Name: name}))
		}
	}
}

// Of namespaces, the controllers look at new labels and at the beginning of a
// deletion: a namespace that appears changes nothing for what is there.
var (
	relabelled  = ofUpdates(predicate.LabelChangedPredicate{}.Update)
	terminating = ofUpdates(func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() && !e.ObjectNew.GetDeletionTimestamp().IsZero()
	})
)

func ofUpdates(passes func(event.UpdateEvent) bool) predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: passes,
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

// comesOrGoes passes a node's making and removal, and not its heartbeats.
var comesOrGoes = predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}

// networkStatusChanges passes writes of a pod's network-status.
var networkStatusChanges = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { return e.Object.GetAnnotations()[nadv1.NetworkStatusAnnot] != "" },
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetAnnotations()[nadv1.NetworkStatusAnnot] != e.ObjectNew.GetAnnotations()[nadv1.NetworkStatusAnnot]
	},
	DeleteFunc: func(event.DeleteEvent) bool { return false },
}

// readyChanges passes attachments whose interface was wired or unwired, or
// whose entry in network-status has changed otherwise.
var readyChanges = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.L2Attachment), e.ObjectNew.(*v1alpha1.L2Attachment)
		ready := func(a *v1alpha1.L2Attachment) bool {
			return meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady)
		}
		return ready(was) != ready(is) || was.Status.MTU != is.Status.MTU || was.Generation != is.Generation || !slices.Equal(was.Networks(), is.Networks())
	},
}

func podOfAttachment(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{request(o.(*v1alpha1.L2Attachment).PodKey())}
}

func request(key types.NamespacedName) reconcile.Request {
	return reconcile.Request{NamespacedName: key}
}
