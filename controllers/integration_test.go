//go:build integration

package controllers_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// The stages of an attach are measured.
func TestStagesAreMeasured(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/24"))
	w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed", "0 ports")
	before := stageCounts(t)
	pod := w.podWith("p", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, func(p *corev1.Pod) { p.Spec.NodeName = "" })
	w.bind(pod, "node-b")
	w.attached("p", 1)
	w.pod("refused", "nowhere")
	w.refused("refused", "NetworkNotFound", "")

	w.eventually(func(g Gomega) {
		after := stageCounts(t)
		g.Expect(after["l2sm_scheduled_to_attachment_seconds"]).To(Equal(before["l2sm_scheduled_to_attachment_seconds"] + 1))
		g.Expect(after["l2sm_northbound_transactions_total"]).To(BeNumerically(">=", before["l2sm_northbound_transactions_total"]+1))
		g.Expect(after["l2sm_attachments_refused_total"]).To(BeNumerically(">", before["l2sm_attachments_refused_total"]))
		g.Expect(after).To(HaveKey("l2sm_attachment_to_northbound_seconds"))
	})
}

// A controller that has nothing to do does nothing, also when attachments wait
// or are refused.
func TestIdleIsIdle(t *testing.T) {
	w := start(t)
	n := w.network("tiny", subnets("10.0.0.1/32"))
	w.pod("holder", "tiny")
	w.attached("holder", 1)
	w.pod("full", "tiny")
	w.refused("full", "AddressesExhausted", "")
	w.pod("waits", "nowhere")
	w.refused("waits", "NetworkNotFound", "")
	w.podWith("malformed", map[string]string{v1alpha1.NetworksAnnotation: "["}, nil)
	w.create(&v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "forged"},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: "holder", PodUID: "no-such-uid", NodeName: "node-a", Network: v1alpha1.NetworkReference{Name: "tiny"}, MACAddress: "0a:58:00:00:00:07",
		},
	})
	w.restart()
	w.remove(n) // and it stays, in use
	w.condition(n, v1alpha1.ConditionDeleting, metav1.ConditionTrue, "InUse", "1 attachment")

	// Settled, after whatever was still under way.
	last := -1.0
	w.eventually(func(g Gomega) {
		now := reconciles(t)
		settled := now == last
		last = now
		g.Expect(settled).To(BeTrue())
		time.Sleep(200 * time.Millisecond)
		g.Expect(reconciles(t)).To(Equal(now))
	})
	time.Sleep(2 * time.Second)
	NewWithT(t).Expect(reconciles(t)).To(Equal(last))
}

// reconciles counts those of all controllers in this process.
func reconciles(t *testing.T) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	count := 0.0
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "controller_runtime_reconcile_total" {
				count += m.GetCounter().GetValue()
			}
		}
	}
	return count
}

// stageCounts are how often each of our metrics was observed.
func stageCounts(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			if strings.HasPrefix(f.GetName(), "l2sm_") {
				counts[f.GetName()] += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return counts
}

// The main job: a pod that asks gets its attachments, complete by their first
// write, and its ports.
func TestPodIsAttached(t *testing.T) {
	w := start(t)
	n := w.network("ping-network", subnets("10.101.0.0/16", "fd10:101::/64"))
	w.network("plain", v1alpha1.L2NetworkSpec{})
	pod := w.pod("ping", "ping-network, plain")

	all := w.attached("ping", 2)

	g := NewWithT(t)
	first, second := all[0], all[1]
	g.Expect(first.Name).To(Equal("ping-net1-" + string(pod.UID[:8])))
	g.Expect(first.Generation).To(Equal(int64(1)), "one write made it complete")
	g.Expect(first.Spec).To(Equal(v1alpha1.L2AttachmentSpec{
		PodName: "ping", PodUID: pod.UID, NodeName: "node-a", Interface: "net1",
		Network:    v1alpha1.NetworkReference{Name: "ping-network"},
		MACAddress: "0a:58:0a:65:00:01",
		Addresses:  []string{"10.101.0.1/16", "fd10:101::1/64"},
	}))
	g.Expect(first.OwnerReferences).To(HaveLen(1))
	g.Expect(first.OwnerReferences[0].UID).To(Equal(pod.UID))
	g.Expect(first.OwnerReferences[0].BlockOwnerDeletion).To(BeNil())
	g.Expect(first.Status.PortName).To(Equal("l2sm/" + w.namespace + "/" + first.Name))
	g.Expect(first.Status.MTU).To(Equal(int32(1442)))
	g.Expect(second.Spec.Addresses).To(BeEmpty(), "a network without ipam assigns none")
	g.Expect(second.Spec.MACAddress).To(HavePrefix("0a:58:"))

	port := w.NB.Ctl("--columns=addresses,port_security", "--bare", "find", "logical_switch_port", "name="+first.Status.PortName)
	g.Expect(strings.Split(strings.TrimSpace(port), "\n")).To(Equal([]string{
		"0a:58:0a:65:00:01 10.101.0.1 fd10:101::1",
		"0a:58:0a:65:00:01 10.101.0.1/16 fd10:101::1/64",
	}))
	w.condition(n, v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted", "valid")
	w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed", "1 port")
	g.Expect(n.Status.Attachments).To(Equal(int32(1)))
	g.Expect(n.Status.MTU).To(Equal(int32(1442)))
	g.Expect(n.Status.IPAM.Ranges).To(Equal([]string{"10.101.0.0/16", "fd10:101::/64"}))
	g.Expect(w.switches()).To(ConsistOf(
		ovn.Key{Namespace: w.namespace, Name: "ping-network"}.Switch(), ovn.Key{Namespace: w.namespace, Name: "plain"}.Switch()))
}
