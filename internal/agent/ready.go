package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ovs"
)

// readyReconciler keeps the condition Ready of the node's attachments. It
// follows OVS, off the path that a pod waits for.
type readyReconciler struct {
	client.Client
	ovs *ovs.Client

	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments/status,verbs=patch

func (r *readyReconciler) setup(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).Named("ready").
		For(&v1alpha1.L2Attachment{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r).
		WithOptions(controller.Options{NewQueue: newQueue}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the readiness controller: %w", err)
	}
	return nil
}

// newQueue returns a queue without a name, which keeps no metrics: for them it
// would wake up twice a second. It is no priority queue either: that of
// controller-runtime 0.24 may hang when it is shut down.
func newQueue(_ string, limiter workqueue.TypedRateLimiter[ctrl.Request]) workqueue.TypedRateLimitingInterface[ctrl.Request] {
	return workqueue.NewTypedRateLimitingQueue(limiter)
}

// Start makes the reconciler a source of requests: of the attachments of ports
// that change, and of all whenever OVS' database is there again.
func (r *readyReconciler) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = queue
	go r.follow(ctx, queue)
	return nil
}

func (r *readyReconciler) follow(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
	seen := int64(0)
	for {
		changed := r.ovs.Changed()
		if n := r.ovs.Sessions(); n != seen {
			seen = n
			r.enqueueAll(ctx, queue)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (r *readyReconciler) enqueueAll(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) {
	var all v1alpha1.L2AttachmentList
	if err := r.List(ctx, &all); err != nil {
		log.FromContext(ctx).Error(err, "List attachments")
		return
	}
	for i := range all.Items {
		queue.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
	}
}

// portChanged has the port's attachment reconciled. Before the controller has
// started there is no need: it begins with all.
func (r *readyReconciler) portChanged(p ovs.Port) {
	key, ok := attachmentKey(p.LogicalPort)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok && r.queue != nil {
		r.queue.Add(ctrl.Request{NamespacedName: key})
	}
}

// attachmentKey is the attachment of a logical port: see logicalPort.
func attachmentKey(logicalPort string) (client.ObjectKey, bool) {
	parts := strings.Split(logicalPort, "/")
	if len(parts) != 3 {
		return client.ObjectKey{}, false
	}
	return client.ObjectKey{Namespace: parts[1], Name: parts[2]}, true
}

// Reconcile says on one attachment whether it is wired.
func (r *readyReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	attachment := &v1alpha1.L2Attachment{}
	if err := r.Get(ctx, req.NamespacedName, attachment); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !attachment.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	ports, err := r.ovs.Ports(ctx)
	if errors.Is(err, ovs.ErrNotConnected) {
		return ctrl.Result{}, nil // the next connection brings the attachment here again
	}
	if err != nil {
		return ctrl.Result{}, err
	}

	stands := meta.FindStatusCondition(attachment.Status.Conditions, v1alpha1.ConditionReady)
	want, ok := readiness(attachment, stands, ports)
	if !ok || same(stands, want) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.apply(ctx, attachment, want)
}

// readiness is what is to be said on an attachment. There is nothing to say
// before an ADD has brought it to an end: ADDs report to the runtime, and an
// attachment whose binding is forged never sees one.
func readiness(a *v1alpha1.L2Attachment, stands *metav1.Condition, ports []ovs.Port) (metav1.Condition, bool) {
	wasReady := stands != nil && stands.Status == metav1.ConditionTrue
	port := portOf(a, ports)
	switch {
	case port == nil:
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonWiring, "the pod has no sandbox with this interface"), wasReady
	case port.State.Error != "":
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, "ovs-vswitchd: "+port.State.Error), true
	case !port.State.Installed:
		return v1alpha1.AttachmentNotReady(v1alpha1.ReasonWiring, "OVN's flows are not installed"), wasReady
	default:
		return v1alpha1.AttachmentReady(port.Interface), true
	}
}

// portOf returns the attachment's port in the life of the pod that it is bound
// to.
func portOf(a *v1alpha1.L2Attachment, ports []ovs.Port) *ovs.Port {
	for _, p := range ports {
		if p.Attachment == string(a.UID) && p.Sandbox.PodUID == string(a.Spec.PodUID) {
			return &p
		}
	}
	return nil
}

func same(stands *metav1.Condition, want metav1.Condition) bool {
	return stands != nil && stands.Status == want.Status && stands.Reason == want.Reason && stands.Message == want.Message
}

// apply writes the agent's part of the status; the rest is the controller's.
func (r *readyReconciler) apply(ctx context.Context, a *v1alpha1.L2Attachment, want metav1.Condition) error {
	want.ObservedGeneration = a.Generation
	conditions := append([]metav1.Condition(nil), a.Status.Conditions...)
	meta.SetStatusCondition(&conditions, want) // keeps lastTransitionTime where the status stays
	dated := meta.FindStatusCondition(conditions, want.Type)
	condition, err := runtime.DefaultUnstructuredConverter.ToUnstructured(dated)
	if err != nil {
		return fmt.Errorf("convert condition: %w", err)
	}
	part := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": a.Namespace, "name": a.Name, "uid": string(a.UID)},
		"status":   map[string]any{"conditions": []any{condition}},
	}}
	part.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("L2Attachment"))
	err = r.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(part), client.FieldOwner(name), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("apply condition %s of L2Attachment %q: %w", want.Type, client.ObjectKeyFromObject(a), err)
	}
	return nil
}
