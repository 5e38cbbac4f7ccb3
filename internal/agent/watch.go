package agent

import (
	"context"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/loop"
	"l2sm.io/l2sm/internal/ovs"
)

// watcher brings the node's ports in line with its attachments: it plugs and
// unplugs running pods, follows moves and MTUs, and keeps condition Ready. It
// works off the path that a starting pod waits for.
type watcher struct {
	*Agent
	loop *loop.Loop[types.NamespacedName]
	// attached are the times of the hot attachments that are not Ready yet, by
	// the port's name.
	attached sync.Map
	// moves are the times since when ports have awaited the flows of the network
	// that they were moved to, by the port's name.
	moves sync.Map
	// losses slow down what plugs a lost interface in again.
	losses losses
}

// workers is how many attachments are worked on at a time: one that waits for
// its pod's lock, which an ADD may hold for long, keeps no other waiting.
const workers = 8

// +kubebuilder:rbac:groups=l2sm.io,resources=l2attachments/status,verbs=patch

func newWatcher(a *Agent) *watcher {
	w := &watcher{Agent: a}
	w.loop = loop.New(a.log.WithName("attachments"), func(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
		return w.reconcile(ctx, key)
	})
	return w
}

// run works until ctx ends: on the attachments that change, and on all
// whenever OVS' database is there again.
func (w *watcher) run(ctx context.Context) error {
	go w.eachSession(ctx, w.wakeAll)
	w.loop.Run(ctx, workers)
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
	for _, a := range w.node.Attachments() {
		w.wake(keyOf(a))
	}
	ports, err := w.ovs.Ports(ctx)
	if err != nil {
		return // the next session wakes all again
	}
	for _, p := range ports {
		w.portChanged(p)
	}
}

// portChanged has the port's attachment reconciled, and those that wait for its
// interface's name.
func (w *watcher) portChanged(p ovs.Port) {
	if key, ok := attachmentKey(p.LogicalPort); ok {
		w.wake(key)
	}
	for _, a := range w.node.AttachmentsOf(types.NamespacedName{Namespace: p.Sandbox.PodNamespace, Name: p.Sandbox.PodName}) {
		if a.Spec.Interface == p.Interface {
			w.wake(keyOf(a))
		}
	}
}

// podChanged has the attachments reconciled that name the pod: a sandbox that
// becomes ready shows as a change of the pod's status.
func (w *watcher) podChanged(pod *corev1.Pod) {
	for _, a := range w.node.AttachmentsOf(keyOf(pod)) {
		w.wake(keyOf(a))
	}
}

func (w *watcher) wake(key types.NamespacedName) { w.loop.Add(key) }

// attachmentKey is the attachment of a logical port: see logicalPort.
func attachmentKey(logicalPort string) (types.NamespacedName, bool) {
	parts := strings.Split(logicalPort, "/")
	if len(parts) != 3 {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: parts[1], Name: parts[2]}, true
}

func keyOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}
