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

// complain writes an event about the node, in its own time: the API server may
// be away. It tries for as long as the event would be kept.
func (a *Agent) complain(ctx context.Context, about v1alpha1.Event) {
	event := nodeEvent(a.config.Node, about, time.Now())
	go func() {
		policy := backoff.NewExponentialBackOff(backoff.WithMaxElapsedTime(time.Hour))
		err := backoff.Retry(func() error { return a.live.CreateEvent(ctx, event) }, backoff.WithContext(policy, ctx))
		if err != nil {
			a.log.Info("Could not write an event", "reason", about.Reason, "error", err.Error())
		}
	}()
}

// nodeEvent has one name for what it says, so that an agent that starts again
// adds no second one.
func nodeEvent(node string, about v1alpha1.Event, now time.Time) *eventsv1.Event {
	digest := fnv.New64a()
	_, _ = digest.Write([]byte(node + about.Reason + about.Message))
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: fmt.Sprintf("%s.%x", name, digest.Sum64())},
		EventTime:  metav1.NewMicroTime(now),
		// kubectl describe node looks for events of this UID, as kubelet's.
		Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node, UID: types.UID(node)},
		Type:      about.Type, Reason: about.Reason, Action: about.Action, Note: about.Message,
		ReportingController: name, ReportingInstance: name + "-" + node,
	}
}
