//go:build integration

package controllers_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// attach makes a user's attachment in the test's namespace.
func (w *world) attach(name, pod, network string, change ...func(*v1alpha1.L2Attachment)) *v1alpha1.L2Attachment {
	w.t.Helper()
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: pod, Network: v1alpha1.NetworkReference{Name: network}},
	}
	for _, c := range change {
		c(a)
	}
	w.create(a)
	return a
}

// accepted waits until the attachment is, and is bound to the pod: to none
// where that is nil.
func (w *world) accepted(a *v1alpha1.L2Attachment, pod *corev1.Pod) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(w.t.Context(), keyOf(a), a)).To(Succeed())
		g.Expect(a.Complete()).To(BeTrue())
		c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
		g.Expect(c).NotTo(BeNil())
		g.Expect(c.Status).To(Equal(metav1.ConditionTrue), "%v", c)
		g.Expect(c.ObservedGeneration).To(Equal(a.Generation))
		if pod == nil {
			g.Expect(a.Spec.PodUID).To(BeEmpty())
			g.Expect(a.Spec.NodeName).To(BeEmpty())
			g.Expect(a.Status.PortName).To(BeEmpty())
			g.Expect(a.Status.Network).To(BeNil())
			return
		}
		g.Expect(a.Spec.PodUID).To(Equal(pod.UID))
		g.Expect(a.Spec.NodeName).To(Equal(pod.Spec.NodeName))
		g.Expect(a.Status.PortName).To(Equal("l2sm/" + a.Namespace + "/" + a.Name))
		g.Expect(a.Status.Network).NotTo(BeNil())
	})
}

// reason waits for a condition of an attachment.
func (w *world) reason(a *v1alpha1.L2Attachment, kind, reason, message string) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(w.t.Context(), keyOf(a), a)).To(Succeed())
		c := meta.FindStatusCondition(a.Status.Conditions, kind)
		g.Expect(c).NotTo(BeNil(), "condition %s", kind)
		g.Expect(c.Reason).To(Equal(reason), "%v", c)
		g.Expect(c.Message).To(ContainSubstring(message))
	})
}

// A user's attachment is bound to one pod of its name after the other, on
// whatever node, and keeps its MAC address and addresses.
func TestPersistentAttachment(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24", "fd00::/64"))
	a := w.attach("db", "db-0", "lab")
	w.accepted(a, nil)
	w.reason(a, v1alpha1.ConditionReady, v1alpha1.ReasonNoPod, `"db-0"`)
	g := NewWithT(t)
	mac, addresses := a.Spec.MACAddress, a.Spec.Addresses
	g.Expect(addresses).To(HaveLen(2))
	g.Expect(w.ports("lab")).To(BeEmpty(), "OVN would answer ARP for it")

	first := w.podWith("db-0", nil, nil)
	w.accepted(a, first)
	g.Expect(a.Spec.Interface).To(Equal("net1"))
	g.Expect(w.ports("lab")).To(ConsistOf(a.Status.PortName))
	w.reason(a, v1alpha1.ConditionReady, v1alpha1.ReasonAwaitsNode, "node-a")
	w.setReady(a)
	w.reason(a, v1alpha1.ConditionReady, v1alpha1.ReasonReady, "")

	w.remove(first)
	w.accepted(a, nil)
	w.reason(a, v1alpha1.ConditionReady, v1alpha1.ReasonNoPod, "")
	w.eventually(func(g Gomega) { g.Expect(w.ports("lab")).To(BeEmpty()) })

	w.restart()
	other := w.podWith("other", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, nil)
	g.Expect(w.attached(other.Name, 1)[0].Spec.Addresses).NotTo(Equal(addresses), "what waits for its pod is reserved")

	next := w.podWith("db-0", nil, func(p *corev1.Pod) { p.Spec.NodeName = "node-b" })
	w.accepted(a, next)
	g.Expect(a.Spec.MACAddress).To(Equal(mac))
	g.Expect(a.Spec.Addresses).To(Equal(addresses))

	w.setPhase(next, corev1.PodSucceeded)
	w.accepted(a, nil)

	w.remove(a)
	w.eventually(func(g Gomega) {
		third := w.podWith(fmt.Sprintf("again-%d", metav1.Now().UnixNano()), map[string]string{v1alpha1.NetworksAnnotation: fmt.Sprintf(`[{"name":"lab","ips":[%q]}]`, addresses[0])}, nil)
		g.Expect(w.attached(third.Name, 1)[0].Spec.Addresses[0]).To(Equal(addresses[0]), "what is deleted is free")
	})
}

// What a pod's annotation asks for and a user has made is one interface.
func TestAdoption(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	w.network("quarantine", subnets("10.0.0.0/24"))
	g := NewWithT(t)
	a := w.attach("mine", "p", "lab", func(a *v1alpha1.L2Attachment) { a.Spec.Addresses = []string{"10.0.0.77/24"} })
	w.accepted(a, nil)
	pod := w.podWith("p", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, nil)
	w.accepted(a, pod)
	g.Expect(a.Spec.Addresses).To(Equal([]string{"10.0.0.77/24"}))
	w.consistently(func(g Gomega) { g.Expect(w.attachments("p")).To(HaveLen(1)) })

	w.change(a, func() { a.Spec.Network.Name = "quarantine" })
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(a), a)).To(Succeed())
		g.Expect(a.Status.Network.Name).To(Equal("quarantine"))
	})
	w.consistently(func(g Gomega) { g.Expect(w.attachments("p")).To(HaveLen(1), "a move is not undone by the annotation") })

	w.remove(a)
	born := w.attached("p", 1)[0]
	g.Expect(born.Name).NotTo(Equal(a.Name), "what the annotation asks for is served when the user's is gone")
}

// One created with the UID of a pod belongs to that pod.
func TestAttachmentOfOneLife(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	pod := w.podWith("p", nil, nil)
	a := w.attach("hot", "p", "lab", func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = pod.UID })
	w.accepted(a, pod)
	g := NewWithT(t)
	g.Expect(a.OwnerReferences).To(HaveLen(1))
	g.Expect(a.OwnerReferences[0].UID).To(Equal(pod.UID))
	g.Expect(a.OwnerReferences[0].BlockOwnerDeletion).To(BeNil())

	w.setPhase(pod, corev1.PodFailed)
	w.eventually(func(g Gomega) { g.Expect(w.attachments("p")).To(BeEmpty()) })
}

// Many attachments of one pod at once get interfaces of their own.
func TestManyInterfaces(t *testing.T) {
	const count = 40
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	w.pod("p", "lab, lab@data0")
	w.attached("p", 2)
	for i := range count {
		w.attach(fmt.Sprintf("hot-%d", i), "p", "lab")
	}
	all := w.attached("p", count+2)
	seen := map[string]string{}
	for _, a := range all {
		if other, twice := seen[a.Spec.Interface]; twice {
			t.Errorf("interface %s is that of %s and of %s", a.Spec.Interface, other, a.Name)
		}
		seen[a.Spec.Interface] = a.Name
	}
	taken := w.attach("taken", "p", "lab", func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "data0" })
	w.reason(taken, v1alpha1.ConditionAccepted, v1alpha1.ReasonInterfaceTaken, "data0")
	NewWithT(t).Expect(taken.Spec.PodUID).To(BeEmpty(), "what is refused is not bound")
}

// A running pod's annotation may be edited: what is added comes, what is
// dropped goes, and what stays keeps its interface.
func TestAnnotationIsEdited(t *testing.T) {
	w := start(t)
	for _, name := range []string{"a", "b", "c"} {
		w.network(name, v1alpha1.L2NetworkSpec{})
	}
	pod := w.pod("p", "a, b")
	w.attached("p", 2)
	interfaces := func() map[string]string {
		all := map[string]string{}
		for _, a := range w.attachments("p") {
			all[a.Spec.Network.Name] = a.Spec.Interface
		}
		return all
	}
	edit := func(reason, networks string, want map[string]string) {
		w.change(pod, func() { pod.Annotations[v1alpha1.NetworksAnnotation] = networks })
		w.eventually(func(g Gomega) { g.Expect(interfaces()).To(Equal(want), reason) })
	}
	edit("what stays is not renamed", "b", map[string]string{"b": "net2"})
	edit("what comes takes a free name", "b, c", map[string]string{"b": "net2", "c": "net1"})
	w.restart() // or the name that c was given would rest until the cache shows that it is free
	edit("what goes is not in the way", "b, a", map[string]string{"b": "net2", "a": "net1"})
	edit("all may go", "", map[string]string{})
	edit("and come back", "a", map[string]string{"a": "net1"})
}

// An attachment may ask for what can't be had, and says so itself.
func TestUserMadeRefusals(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	w.pod("holder", `[{"name":"lab","ips":["10.0.0.9"]}]`)
	held := w.attached("holder", 1)[0]
	host := w.podWith("host", nil, func(p *corev1.Pod) { p.Spec.HostNetwork = true })
	cases := map[string]struct {
		reason, pod, network, want, says string
		change                           func(*v1alpha1.L2Attachment)
	}{
		"NoNetwork": {"it waits for the network", "none", "nowhere", "NetworkNotFound", "nowhere", func(*v1alpha1.L2Attachment) {}},
		"Taken":     {"the owner is named", "none", "lab", "AddressTaken", held.Name, func(a *v1alpha1.L2Attachment) { a.Spec.Addresses = []string{"10.0.0.9/24"} }},
		"Outside":   {"an address outside reaches nobody", "none", "lab", "AddressOutOfRange", "10.0.0.0/24", func(a *v1alpha1.L2Attachment) { a.Spec.Addresses = []string{"10.9.0.9/24"} }},
		"Static": {"also where MAC and address are both given", "none", "lab", "AddressTaken", held.Name, func(a *v1alpha1.L2Attachment) {
			a.Spec.MACAddress = "02:00:00:00:00:01"
			a.Spec.Addresses = []string{"10.0.0.9/24"}
		}},
		"StaticOutside": {"nor does a MAC help", "none", "lab", "AddressOutOfRange", "10.0.0.0/24", func(a *v1alpha1.L2Attachment) {
			a.Spec.MACAddress = "02:00:00:00:00:02"
			a.Spec.Addresses = []string{"10.9.0.9/24"}
		}},
		"Override": {"a network decides who may choose", "none", "lab", "NotAllowed", "allowPortSecurityOverride", func(a *v1alpha1.L2Attachment) { a.Spec.PortSecurity = v1alpha1.PortSecurityDisabled }},
		"Host":     {"the node's own network gets nothing", host.Name, "lab", "Invalid", "hostNetwork", func(*v1alpha1.L2Attachment) {}},
	}
	for name, tc := range cases {
		a := w.attach("a-"+lower(name), tc.pod, tc.network, tc.change)
		t.Log(name, tc.reason)
		w.reason(a, v1alpha1.ConditionAccepted, tc.want, tc.says)
		if a.Spec.PodUID != "" {
			t.Errorf("%s: it is bound to %s", name, a.Spec.PodUID)
		}
	}
	w.remove(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "holder"}})
	for _, name := range []string{"a-taken", "a-static"} {
		a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
		w.eventually(func(g Gomega) {
			g.Expect(w.Get(t.Context(), client.ObjectKeyFromObject(a), a)).To(Succeed())
			accepted := meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionAccepted)
			other := &v1alpha1.L2Attachment{}
			g.Expect(w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: map[string]string{"a-taken": "a-static", "a-static": "a-taken"}[name]}, other)).To(Succeed())
			g.Expect(accepted != meta.IsStatusConditionTrue(other.Status.Conditions, v1alpha1.ConditionAccepted)).To(BeTrue(), "exactly one has what became free")
		})
	}
}
