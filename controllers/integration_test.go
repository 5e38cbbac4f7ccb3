//go:build integration

package controllers_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

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
