//go:build integration

package agent_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/ovn"
)

// What happens to a pod's port stands on the pod, each time that it happens.
func TestTellsThePod(t *testing.T) {
	w := startNode(t)
	told, err := agent.New(w.lagging(), agent.Config{Node: nodeName, CRI: w.runtime.Socket(), OVSDB: w.Endpoint()}, w.logger())
	if err != nil {
		t.Fatal(err)
	}
	p := w.pod("bridge", "one")
	a := w.attachment(p, "one", "net1", 1)
	about := v1alpha1.LearningStoppedEvent(a.NetworkKey(), v1alpha1.LearningStopped(ovn.MaxLearned, ovn.LearningPause).Message)
	for range 2 {
		told.Tell(t.Context(), a, about)
	}
	NewWithT(t).Eventually(func(g Gomega) {
		events := &eventsv1.EventList{}
		g.Expect(w.List(t.Context(), events, client.InNamespace(w.namespace))).To(Succeed())
		g.Expect(events.Items).To(HaveLen(2))
		for _, e := range events.Items {
			g.Expect(e.Regarding.UID).To(Equal(p.UID))
			g.Expect([]string{e.Regarding.Kind, e.Regarding.Name, e.Reason, e.Note}).To(Equal([]string{"Pod", p.Name, v1alpha1.ReasonTooManyMACs, about.Message}))
			g.Expect(e.EventTime.Time).To(BeTemporally("~", time.Now(), time.Minute))
		}
	}, patience, "20ms").Should(Succeed())
}
