//go:build integration

package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// portsOf are the UUIDs of the ports on a network's switch.
func (w *world) portsOf(network string) []string {
	w.t.Helper()
	key := ovn.Key{Namespace: w.namespace, Name: network}
	text := strings.Trim(strings.TrimSpace(w.NB.Ctl("--if-exists", "get", "logical_switch", key.Switch(), "ports")), "[]")
	return strings.Fields(strings.ReplaceAll(text, ",", " "))
}

// A move takes the port's row along, in one transaction, whatever else is
// reconciled meanwhile; and back.
func TestMove(t *testing.T) {
	w := start(t)
	small := int32(1300)
	w.network("production", subnets("10.20.0.0/24"))
	w.network("quarantine", v1alpha1.L2NetworkSpec{MTU: &small, IPAM: &v1alpha1.IPAM{Subnets: []string{"10.20.0.0/24"}}})
	w.pod("stays", "production")
	w.pod("p", `[{"name":"production","ips":["10.20.0.10"]}]`)
	w.attached("stays", 1)
	a := w.attached("p", 1)[0]
	g := NewWithT(t)
	row := strings.TrimSpace(w.NB.Ctl("--bare", "--columns=_uuid", "find", "logical_switch_port", "name="+a.Status.PortName))

	for _, to := range []string{"quarantine", "production", "quarantine"} {
		before := w.NB.Commits()
		w.change(&a, func() { a.Spec.Network.Name = to })
		w.eventually(func(g Gomega) {
			g.Expect(w.Get(t.Context(), keyOf(&a), &a)).To(Succeed())
			g.Expect(a.Status.Network).To(Equal(&v1alpha1.NetworkReference{Namespace: w.namespace, Name: to}))
			g.Expect(w.portsOf(to)).To(ContainElement(row), "the row is the same")
		})
		g.Expect(w.NB.Commits()-before).To(Equal(1), "one transaction")
		g.Expect(a.Spec.Addresses).To(Equal([]string{"10.20.0.10/24"}))
	}
	g.Expect(a.Status.MTU).To(Equal(small))
	w.eventually(func(g Gomega) { g.Expect(w.portsOf("production")).To(HaveLen(1)) })

	// What it had there is free, and its own is not.
	w.pod("heir", `[{"name":"production","ips":["10.20.0.10"]}]`)
	w.attached("heir", 1)
	w.pod("rival", `[{"name":"quarantine","ips":["10.20.0.10"]}]`)
	w.refused("rival", "AddressTaken", a.Name)

	// The way back is shut now: the port stays, and the reason is told.
	w.change(&a, func() { a.Spec.Network.Name = "production" })
	stays := func() {
		w.reason(&a, v1alpha1.ConditionAccepted, "AddressTaken", "the port stays on L2Network \""+w.namespace+"/quarantine\"")
		g.Expect(a.Status.Network.Name).To(Equal("quarantine"))
		g.Expect(a.Status.PortName).NotTo(BeEmpty())
		w.consistently(func(g Gomega) { g.Expect(w.portsOf("quarantine")).To(ConsistOf(row)) })
	}
	stays()
	w.restart()
	w.pod("touch", "quarantine")
	w.attached("touch", 1)
	w.eventually(func(g Gomega) { g.Expect(w.portsOf("quarantine")).To(ContainElement(row)) })
	w.NB.Wipe()
	w.eventually(func(g Gomega) { g.Expect(w.portsOf("quarantine")).To(HaveLen(2), "the status alone says where it is") })

	// And open again.
	w.remove(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "heir"}})
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(&a), &a)).To(Succeed())
		g.Expect(a.Status.Network.Name).To(Equal("production"))
	})
	w.attached("rival", 1)
}

// Moves that no network takes.
func TestMoveIsRefused(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	w.network("elsewhere", subnets("10.9.0.0/24"))
	theirs := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: w.other, Name: "theirs"}}
	w.create(theirs)
	w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	for _, tc := range []struct {
		reason, want string
		to           v1alpha1.NetworkReference
	}{
		{"no such network", "NetworkNotFound", v1alpha1.NetworkReference{Name: "nowhere"}},
		{"the address is not valid there", "AddressOutOfRange", v1alpha1.NetworkReference{Name: "elsewhere"}},
		{"the network is closed", "NotAllowed", v1alpha1.NetworkReference{Name: "theirs", Namespace: w.other}},
	} {
		w.change(&a, func() { a.Spec.Network = tc.to })
		w.reason(&a, v1alpha1.ConditionAccepted, tc.want, "the port stays on")
		w.consistently(func(g Gomega) { g.Expect(w.portsOf("lab")).To(HaveLen(1), tc.reason) })
	}
	w.change(&a, func() { a.Spec.Network = v1alpha1.NetworkReference{Name: "lab"} })
	w.reason(&a, v1alpha1.ConditionAccepted, "Accepted", "")
}

// Moving to a network with addresses, from one without, assigns them.
func TestMoveAssignsAddresses(t *testing.T) {
	w := start(t)
	w.network("plain", v1alpha1.L2NetworkSpec{})
	w.network("lab", subnets("10.0.0.0/24"))
	w.pod("p", "plain")
	a := w.attached("p", 1)[0]
	mac := a.Spec.MACAddress
	twin := w.pod("twin", fmt.Sprintf(`[{"name":"lab","mac":%q}]`, mac))
	w.attached("twin", 1)
	w.change(&a, func() { a.Spec.Network.Name = "lab" })
	w.reason(&a, v1alpha1.ConditionAccepted, "MACTaken", "twin")
	NewWithT(t).Expect(a.Spec.Addresses).To(BeEmpty(), "addresses go with the MAC address that it has")
	w.remove(twin)
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(&a), &a)).To(Succeed())
		g.Expect(a.Spec.Addresses).To(HaveLen(1))
		g.Expect(a.Spec.Addresses[0]).To(HavePrefix("10.0.0."))
		g.Expect(a.Spec.MACAddress).To(Equal(mac))
		g.Expect(w.portsOf("lab")).To(HaveLen(1))
	})
}

// A namespace that is deleted takes its networks along, whoever uses them.
func TestNamespaceIsDeleted(t *testing.T) {
	w := start(t)
	network := func(subnet string) *v1alpha1.L2Network {
		n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: w.other, Name: "theirs"}, Spec: subnets(subnet)}
		n.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll
		w.create(n)
		return n
	}
	theirs := network("10.0.0.0/24")
	w.pod("p", w.other+"/theirs")
	w.attached("p", 1)
	w.podWith("own", map[string]string{v1alpha1.NetworksAnnotation: "theirs"}, func(p *corev1.Pod) { p.Namespace = w.other })
	inOther := *w
	inOther.namespace = w.other
	inOther.attached("own", 1)
	w.remove(theirs)
	w.refused("p", "NetworkGone", "being deleted") // guests do not keep their owner's network
	w.condition(theirs, v1alpha1.ConditionDeleting, metav1.ConditionTrue, "InUse", "1 attachment")

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.other}}
	w.remove(namespace)

	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(theirs), theirs)).NotTo(Succeed())
		g.Expect(w.switches()).To(BeEmpty())
	})
	w.refused("p", "NetworkNotFound", "theirs")

	// One of the same name starts over.
	if err := w.Get(t.Context(), keyOf(namespace), namespace); err != nil {
		t.Fatal(err)
	}
	namespace.Spec.Finalizers = nil // as the namespace controller does, which is not here
	if err := w.SubResource("finalize").Update(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.other}})
	again := network("10.9.0.0/24")
	w.refused("p", "AddressOutOfRange", "10.9.0.0/24")
	w.remove(again)
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(again), again)).NotTo(Succeed(), "nobody holds anything of it")
	})
}
