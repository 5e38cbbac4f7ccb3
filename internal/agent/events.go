package agent

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/cenkalti/backoff/v4"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

// complain writes an event about the node, in its own time.
func (a *Agent) complain(ctx context.Context, about v1alpha1.Event) {
	a.write(ctx, nodeEvent(a.config.Node, about, time.Now()))
}

// Tell writes an event about an attachment's pod, in its own time.
func (a *Agent) Tell(ctx context.Context, attachment *v1alpha1.L2Attachment, about v1alpha1.Event) {
	a.write(ctx, podEvent(a.config.Node, attachment, about, time.Now()))
}

// write returns at once: the API server may be away. It tries for as long as the event
// would be kept.
func (a *Agent) write(ctx context.Context, event *eventsv1.Event) {
	go func() {
		policy := backoff.NewExponentialBackOff(backoff.WithMaxElapsedTime(time.Hour))
		err := backoff.Retry(func() error { return a.live.CreateEvent(ctx, event) }, backoff.WithContext(policy, ctx))
		if err != nil {
			a.log.Info("Could not write an event", "reason", event.Reason, "error", err.Error())
		}
	}()
}

// nodeEvent has one name for what it says, so that an agent that starts again
// adds no second one.
func nodeEvent(node string, about v1alpha1.Event, now time.Time) *eventsv1.Event {
	// kubectl describe node looks for events of this UID, as kubelet's.
	regarding := corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node, UID: types.UID(node)}
	return newEvent(node, metav1.NamespaceDefault, node+about.Reason+about.Message, regarding, about, now)
}

// podEvent has a name for each time that it happens.
func podEvent(node string, of *v1alpha1.L2Attachment, about v1alpha1.Event, now time.Time) *eventsv1.Event {
	regarding := corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: of.Namespace, Name: of.Spec.PodName, UID: of.Spec.PodUID}
	return newEvent(node, of.Namespace, string(of.Spec.PodUID)+about.Reason+about.Message+now.String(), regarding, about, now)
}

func newEvent(node, namespace, what string, regarding corev1.ObjectReference, about v1alpha1.Event, now time.Time) *eventsv1.Event {
	digest := fnv.New64a()
	_, _ = digest.Write([]byte(what))
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s.%x", name, digest.Sum64())},
		EventTime:  metav1.NewMicroTime(now),
		Regarding:  regarding,
		Type:       about.Type, Reason: about.Reason, Action: about.Action, Note: about.Message,
		ReportingController: name, ReportingInstance: name + "-" + node,
	}
}
