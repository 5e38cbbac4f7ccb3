//go:build integration

package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// guest makes an attachment in the test's other namespace that asks for a
// network of the first.
func (w *world) guest(name, network string, change ...func(*v1alpha1.L2Attachment)) *v1alpha1.L2Attachment {
	w.t.Helper()
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.other, Name: name},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: name, Network: v1alpha1.NetworkReference{Namespace: w.namespace, Name: network},
		},
	}
	for _, c := range change {
		c(a)
	}
	w.create(a)
	return a
}

// What was refused stays refused, and what was accepted stays accepted, whatever
// a new controller finds in whatever order.
func TestRefusalsSurviveRestart(t *testing.T) {
	w := start(t)
	huge := int32(9000)
	w.network("large", v1alpha1.L2NetworkSpec{MTU: &huge})
	w.network("plain", v1alpha1.L2NetworkSpec{})
	w.network("link", v1alpha1.L2NetworkSpec{Type: v1alpha1.VLink})
	lab := w.network("lab", subnets("10.0.0.0/29"))
	few := subnets("10.1.0.0/24")
	few.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll, MaxAttachments: 1}
	w.network("few", few)
	w.condition(lab, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready", "")
	w.pod("p1", "link")
	w.attached("p1", 1)
	w.pod("p2", "link")
	w.attached("p2", 1)
	w.pod("holder", `[{"name":"lab","ips":["10.0.0.2"],"mac":"02:00:00:00:00:02"}]`)
	held := w.attached("holder", 1)[0]
	first := w.guest("first", "few")
	w.accepted(first, nil)

	static := func(mac string, addresses ...string) func(*v1alpha1.L2Attachment) {
		return func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress, a.Spec.Addresses = mac, addresses }
	}
	for name, pod := range map[string]string{"p3": "", "p4": "", "p5": "", "p6": ""} {
		w.pod(name, pod)
	}
	cases := map[string]struct {
		a    *v1alpha1.L2Attachment
		want string
	}{
		"a third end of a link":             {w.attach("third", "p3", "link", static("02:00:00:00:01:03")), "LinkFull"},
		"an MTU that does not fit":          {w.attach("big", "p4", "large", static("02:00:00:00:01:04")), "NotAccepted"},
		"a choice that the network forbids": {w.attach("choice", "p5", "plain", static("02:00:00:00:01:05"), func(a *v1alpha1.L2Attachment) { a.Spec.PortSecurity = v1alpha1.PortSecurityDisabled }), "NotAllowed"},
		"a namespace that is shut out":      {w.guest("evil", "lab", static("02:00:00:00:01:06", "10.0.0.3/29")), "NotAllowed"},
		"and has no pod for a link either":  {w.guest("evil-link", "link", static("02:00:00:00:01:07")), "NotAllowed"},
		"a guest too many":                  {w.guest("second", "few", static("02:00:00:00:01:08", "10.1.0.9/24")), "TooManyAttachments"},
		"an address that another has":       {w.attach("thief", "p6", "lab", static("02:00:00:00:01:09", "10.0.0.2/29")), "AddressTaken"},
		"a MAC address that another has":    {w.attach("twin", "nobody", "lab", static("02:00:00:00:00:02", "10.0.0.4/29")), "MACTaken"},
		"an address that is outside":        {w.attach("outside", "nobody", "lab", static("02:00:00:00:01:0a", "10.9.0.4/29")), "AddressOutOfRange"},
		"a network that does not exist":     {w.attach("nowhere", "nobody", "nowhere", static("02:00:00:00:01:0b")), "NetworkNotFound"},
		"a life that the pod never had":     {w.attach("forged", "p6", "lab", static("02:00:00:00:01:0c", "10.0.0.5/29"), func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "no-such-uid", "node-a" }), "BindingMismatch"},
	}
	check := func() {
		t.Helper()
		for why, tc := range cases {
			w.eventually(func(g Gomega) {
				g.Expect(w.Get(t.Context(), keyOf(tc.a), tc.a)).To(Succeed())
				c := acceptedOf(tc.a)
				g.Expect(c.Status).To(Equal(metav1.ConditionFalse), why)
				g.Expect(c.Reason).To(Equal(tc.want), "%s: %s", why, c.Message)
				g.Expect(tc.a.Status.MTU).To(BeZero(), why)
				g.Expect(tc.a.Status.PortName).To(BeEmpty(), why)
			})
		}
		g := NewWithT(t)
		g.Expect(w.portsOf("link")).To(HaveLen(2))
		g.Expect(w.portsOf("lab")).To(HaveLen(1))
		again := w.attached("holder", 1)[0]
		g.Expect(again.UID).To(Equal(held.UID))
		w.accepted(first, nil)
	}
	check()
	for range 2 {
		w.restart()
		w.pod(fmt.Sprintf("touch-%d", metav1.Now().UnixNano()), "plain")
		w.consistently(func(g Gomega) { g.Expect(w.portsOf("link")).To(HaveLen(2)) })
		check()
	}
}

func acceptedOf(a *v1alpha1.L2Attachment) metav1.Condition {
	for _, c := range a.Status.Conditions {
		if c.Type == v1alpha1.ConditionAccepted {
			return c
		}
	}
	return metav1.Condition{}
}

// A thousand attachments that another namespace aims at a network cost its
// owner's next attach nothing.
func TestForbiddenCostTheirOwn(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/16"))
	w.condition(n, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready", "")
	attach := func(name string) (requests int, looks float64) {
		w.settled()
		before, reconciled := w.lag.requests(), reconciles(t)
		w.pod(name, "lab")
		w.attached(name, 1)
		w.settled()
		return w.lag.requests() - before, reconciles(t) - reconciled
	}
	attach("warm")
	requests, looks := attach("before")
	const many = 1000
	var last *v1alpha1.L2Attachment
	for i := range many {
		last = w.guest(fmt.Sprintf("evil-%d", i), "lab", func(a *v1alpha1.L2Attachment) {
			a.Spec.MACAddress = fmt.Sprintf("02:00:00:00:%02x:%02x", i/256, i%256)
			a.Spec.Addresses = []string{fmt.Sprintf("10.0.%d.%d/16", 100+i/250, 1+i%250)}
		})
	}
	w.reason(last, v1alpha1.ConditionAccepted, "NotAllowed", "")
	after, more := attach("after")
	if after > requests+3 || more > looks+5 {
		t.Errorf("beside %d forbidden attachments an attach takes %d requests and %.0f reconciles, %d and %.0f without", many, after, more, requests, looks)
	}
}

// settled waits until the controller has nothing left to do.
func (w *world) settled() {
	w.t.Helper()
	last := reconciles(w.t)
	w.eventually(func(g Gomega) {
		time.Sleep(400 * time.Millisecond)
		now := reconciles(w.t)
		quiet := now == last
		last = now
		g.Expect(quiet).To(BeTrue())
	})
}

// A port security that the network does not let an attachment choose is said,
// and has no effect.
func TestPortSecurityIsPatched(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/24"))
	w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	security := func() string {
		return strings.TrimSpace(w.NB.Ctl("--bare", "--columns=port_security", "find", "logical_switch_port", "name="+a.Status.PortName))
	}
	strict := security()
	w.change(&a, func() { a.Spec.PortSecurity = v1alpha1.PortSecurityDisabled })
	stays := func() {
		t.Helper()
		w.reason(&a, v1alpha1.ConditionAccepted, "NotAllowed", "the port keeps what it has")
		g := NewWithT(t)
		g.Expect(a.Status.PortName).NotTo(BeEmpty())
		g.Expect(security()).To(Equal(strict))
	}
	stays()
	w.restart()
	w.consistently(func(Gomega) { stays() })
	w.change(n, func() { n.Spec.AllowPortSecurityOverride = true })
	w.reason(&a, v1alpha1.ConditionAccepted, "Accepted", "")
	w.eventually(func(g Gomega) { g.Expect(security()).To(BeEmpty()) })
}

// A refused spec changes nothing of what is in force: not the MTU of pods that
// run, nor who may attach.
func TestRefusedSpecIsNotInForce(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/24"))
	w.pod("p", "lab")
	w.attached("p", 1)
	w.change(n, func() {
		huge := int32(9000)
		n.Spec.MTU = &huge
		n.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
	})
	w.condition(n, v1alpha1.ConditionAccepted, metav1.ConditionFalse, "MTUTooLarge", "9000")
	guest := w.guest("guest", "lab")
	holds := func() {
		t.Helper()
		w.reason(guest, v1alpha1.ConditionAccepted, "NotAllowed", "")
		w.pod("q"+fmt.Sprint(metav1.Now().UnixNano()), "lab")
		w.consistently(func(g Gomega) { g.Expect(w.attached("p", 1)[0].Status.MTU).To(Equal(int32(1442))) })
		NewWithT(t).Expect(*n.Status.InForce).To(Equal(v1alpha1.L2NetworkSpec{
			Type: v1alpha1.VNet, IPAM: n.Spec.IPAM,
			AllowedNamespaces: v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame, MaxAttachments: 256},
		}))
	}
	holds()
	w.restart()
	holds()
	w.change(n, func() { n.Spec.MTU = nil })
	w.condition(n, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready", "")
	w.accepted(guest, nil)
}

// The owner's network empties when he deletes it or shuts guests out, whatever
// they reserve.
func TestGuestsCanBeEvicted(t *testing.T) {
	w := start(t)
	spec := subnets("10.0.0.0/29")
	spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll
	n := w.network("lab", spec)
	var guests []*v1alpha1.L2Attachment
	for i := range 6 {
		guests = append(guests, w.guest(fmt.Sprintf("guest-%d", i), "lab"))
	}
	for _, a := range guests {
		w.accepted(a, nil)
	}
	mine := w.pod("mine", "lab")
	w.refused("mine", "AddressesExhausted", "")
	w.change(n, func() { n.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromSame })
	w.attached("mine", 1)
	for _, a := range guests {
		w.reason(a, v1alpha1.ConditionAccepted, "NotAllowed", "")
		NewWithT(t).Expect(a.Spec.Addresses).NotTo(BeEmpty(), "a user's own keep their spec")
	}
	w.change(n, func() { n.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll })
	w.eventually(func(g Gomega) {
		back := 0
		for _, a := range guests {
			g.Expect(w.Get(t.Context(), keyOf(a), a)).To(Succeed())
			if acceptedOf(a).Status == metav1.ConditionTrue {
				back++
			}
		}
		g.Expect(back).To(Equal(5), "they compete again, and one has lost its address")
	})
	w.remove(n)
	w.remove(mine)
	w.eventually(func(g Gomega) { g.Expect(w.Get(t.Context(), keyOf(n), n)).NotTo(Succeed(), "guests do not keep it") })
}

// An empty list is no list.
func TestEmptyAddressesAreAssigned(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	w.create(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "l2sm.io/v1alpha1", "kind": "L2Attachment", "metadata": map[string]any{"name": "db", "namespace": w.namespace},
		"spec": map[string]any{"podName": "db-0", "network": map[string]any{"name": "lab"}, "addresses": []any{}},
	}})
	a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "db"}}
	w.accepted(a, nil)
	NewWithT(t).Expect(a.Spec.Addresses).To(HaveLen(1))
}

// A narrowing that would strand hundreds says so in a few words, and the rest of
// the status goes on.
func TestStrandedAreCounted(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/16"))
	const many = 300
	for i := range many {
		w.attach(fmt.Sprintf("db-%d", i), fmt.Sprintf("db-%d", i), "lab")
	}
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(n), n)).To(Succeed())
		g.Expect(n.Status.Attachments).To(Equal(int32(many)))
	})
	w.change(n, func() { n.Spec.IPAM.Ranges = []string{"10.0.200.0/24"} })
	w.condition(n, v1alpha1.ConditionAccepted, metav1.ConditionFalse, "Invalid", "and 295 more")
	w.attach("one-more", "one-more", "lab")
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(n), n)).To(Succeed())
		g.Expect(n.Status.Attachments).To(Equal(int32(many + 1)))
	})
}
