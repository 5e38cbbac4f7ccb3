package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ovs"
)

// watcher brings the node's ports in line with its attachments: it plugs and
// unplugs running pods, follows moves and MTUs, and keeps condition Ready. It
// works off the path that a starting pod waits for.
type watcher struct {
	*Agent
	api client.Client
	// attached are the times of the hot attachments that are not Ready yet, by
	// the port's name.
	attached sync.Map
	// moves are the times since when ports have awaited the flows of the network
	// that they were moved to, by the port's name.
	moves sync.Map

	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// workers is how many attachments are worked on at a time: one that waits for
// its pod's lock, which an ADD may hold for long, keeps no other waiting.
const workers = 8

// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments/status,verbs=patch

func (w *watcher) setup(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).Named("attachments").
		For(&v1alpha1.L2Attachment{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(w.ofPod)).
		WatchesRawSource(w).
		WithOptions(controller.Options{NewQueue: newQueue, RateLimiter: newLimiter(), MaxConcurrentReconciles: workers}).
		WithLogConstructor(func(req *reconcile.Request) logr.Logger { return attachmentLog(mgr.GetLogger(), req) }).
		Complete(w)
	if err != nil {
		return fmt.Errorf("set up the attachments' controller: %w", err)
	}
	return nil
}

func attachmentLog(base logr.Logger, req *reconcile.Request) logr.Logger {
	if req == nil {
		return base
	}
	return base.WithValues("L2Attachment", req.String())
}

// Start makes the watcher a source of requests: of the attachments of ports
// that change, and of all whenever OVS' database is there again.
func (w *watcher) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	go w.eachSession(ctx, w.wakeAll)
	return nil
}

// followLinks has the attachments reconciled whose devices go, until ctx ends.
func (w *watcher) followLinks(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.links.EachGone(ctx, func(host string) { w.deviceGone(ctx, host) }); err != nil {
			return err
		}
		w.wakeAll(ctx) // for what was not told
	}
	return nil
}

func (w *watcher) deviceGone(ctx context.Context, host string) {
	ports, err := w.ovs.Ports(ctx)
	if err != nil {
		return // the next session wakes all
	}
	if p := portNamed(ports, host); p != nil {
		w.portChanged(*p)
	}
}

// wakeAll wakes the attachments of the API and those of ports: of what has a
// port but is not in the API any more, no other event tells.
func (w *watcher) wakeAll(ctx context.Context) {
	var all v1alpha1.L2AttachmentList
	if err := w.client.List(ctx, &all); err != nil {
		log.FromContext(ctx).Error(err, "List attachments")
	}
	for i := range all.Items {
		w.wake(client.ObjectKeyFromObject(&all.Items[i]))
	}
	ports, err := w.ovs.Ports(ctx)
	if err != nil {
		return // the next session wakes all again
	}
	for _, p := range ports {
		w.portChanged(p)
	}
}

// portChanged has the port's attachment reconciled. Before the controller has
// started there is no need: it begins with all.
func (w *watcher) portChanged(p ovs.Port) {
	if key, ok := attachmentKey(p.LogicalPort); ok {
		w.wake(key)
	}
}

func (w *watcher) wake(key client.ObjectKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.Add(ctrl.Request{NamespacedName: key})
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

// ofPod are the attachments that name the pod: a sandbox that becomes ready
// shows as a change of the pod's status.
func (w *watcher) ofPod(ctx context.Context, pod client.Object) []ctrl.Request {
	return w.requests(ctx, func(a *v1alpha1.L2Attachment) bool { return a.Spec.PodName == pod.GetName() }, client.InNamespace(pod.GetNamespace()))
}

func (w *watcher) requests(ctx context.Context, of func(*v1alpha1.L2Attachment) bool, in ...client.ListOption) []ctrl.Request {
	var all v1alpha1.L2AttachmentList
	if err := w.client.List(ctx, &all, in...); err != nil {
		log.FromContext(ctx).Error(err, "List attachments")
		return nil
	}
	var requests []ctrl.Request
	for i := range all.Items {
		if of(&all.Items[i]) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}
