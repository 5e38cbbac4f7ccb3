//go:build integration

package controllers_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// cidrNode makes a node with ranges of its own, and removes it after the test.
func (w *world) cidrNode(name, podCIDR, internal string) *corev1.Node {
	w.t.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: w.namespace + "-" + name}}
	n.Spec.PodCIDR, n.Spec.PodCIDRs = podCIDR, []string{podCIDR}
	w.create(n)
	w.t.Cleanup(func() { _ = w.Delete(w.t.Context(), n.DeepCopy()) })
	w.moveNode(n, internal)
	return n
}

// moveNode gives the node another address, as its kubelet would.
func (w *world) moveNode(n *corev1.Node, internal string) {
	w.t.Helper()
	before := n.DeepCopy()
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: n.Name}, {Type: corev1.NodeInternalIP, Address: internal}}
	if err := w.Status().Patch(w.t.Context(), n, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}

// noCondition waits until the network, which is ready, does not have it.
func (w *world) noCondition(n *v1alpha1.L2Network, kind string) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(w.t.Context(), client.ObjectKeyFromObject(n), n)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(n.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		g.Expect(meta.FindStatusCondition(n.Status.Conditions, kind)).To(BeNil())
	})
}

func TestOverlapsAreTold(t *testing.T) {
	w := start(t)
	fine := w.network("fine", subnets("172.28.0.0/24", "fd28::/64"))
	bare := w.network("bare", v1alpha1.L2NetworkSpec{})
	services := w.network("services", subnets("10.96.7.0/24"))
	pods := w.network("pods", subnets("172.29.0.0/16"))
	nodes := w.network("nodes", subnets("172.30.0.0/24"))

	w.condition(services, v1alpha1.ConditionOverlaps, metav1.ConditionTrue, v1alpha1.ReasonOverlapsServices, `10.96.0.0/16 of ServiceCIDR "kubernetes"`)
	w.condition(services, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "")
	w.told(services, v1alpha1.ReasonOverlapsServices, "ServiceCIDR")
	w.pod("p", "services")
	w.attached("p", 1)
	for _, n := range []*v1alpha1.L2Network{fine, bare, pods, nodes} {
		w.noCondition(n, v1alpha1.ConditionOverlaps)
	}

	n1 := w.cidrNode("n1", "172.29.1.0/24", "172.30.0.7")
	w.condition(pods, v1alpha1.ConditionOverlaps, metav1.ConditionTrue, v1alpha1.ReasonOverlapsPods, "172.29.1.0/24 of Node")
	w.condition(nodes, v1alpha1.ConditionOverlaps, metav1.ConditionTrue, v1alpha1.ReasonOverlapsNodes, "172.30.0.7 of Node")
	w.told(pods, v1alpha1.ReasonOverlapsPods, n1.Name)
	w.told(nodes, v1alpha1.ReasonOverlapsNodes, n1.Name)

	w.moveNode(n1, "172.31.0.7")
	w.noCondition(nodes, v1alpha1.ConditionOverlaps)
	w.condition(pods, v1alpha1.ConditionOverlaps, metav1.ConditionTrue, v1alpha1.ReasonOverlapsPods, n1.Name)
	said := pods.ResourceVersion
	w.restart()
	w.attached("p", 1)
	w.consistently(func(g Gomega) {
		g.Expect(w.Get(t.Context(), client.ObjectKeyFromObject(pods), pods)).To(Succeed())
		g.Expect(pods.ResourceVersion).To(Equal(said), "a restart takes nothing back")
	})
	w.remove(n1)
	w.noCondition(pods, v1alpha1.ConditionOverlaps)

	more := &networkingv1.ServiceCIDR{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"172.28.0.0/28"}}}
	w.create(more)
	t.Cleanup(func() { _ = w.Delete(t.Context(), more) })
	w.condition(fine, v1alpha1.ConditionOverlaps, metav1.ConditionTrue, v1alpha1.ReasonOverlapsServices, more.Name)
	w.remove(more)
	w.noCondition(fine, v1alpha1.ConditionOverlaps)

	var told int
	for _, e := range w.eventsAbout(pods) {
		if strings.HasPrefix(e, v1alpha1.ReasonOverlapsPods) {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the network was told of %d times, want once: %v", told, w.eventsAbout(pods))
	}
}

func TestOverlapsAreRefused(t *testing.T) {
	w := start(t)
	kept := w.network("kept", subnets("172.26.0.0/24"))
	w.pod("p", "kept")
	w.attached("p", 1)
	w.stop()
	n1 := w.cidrNode("n1", "172.26.0.0/25", "172.27.0.7")
	w.refuseOverlaps = true
	w.run()

	late := w.network("late", subnets("172.26.0.0/26"))
	w.condition(late, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonOverlapsPods, n1.Name)
	w.pod("waits", "late")
	w.refused("waits", v1alpha1.ReasonNotAccepted, n1.Name)
	w.condition(kept, v1alpha1.ConditionOverlaps, metav1.ConditionTrue, v1alpha1.ReasonOverlapsPods, n1.Name)
	mtu := int32(1300)
	w.change(kept, func() { kept.Spec.MTU = &mtu })
	w.eventually(func(g Gomega) {
		g.Expect(w.attached("p", 1)[0].Status.MTU).To(Equal(mtu), "what is in force stays, and can be changed")
		g.Expect(w.ports("kept")).To(HaveLen(1))
	})
	w.restart()
	w.condition(late, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonOverlapsPods, n1.Name)
	w.consistently(func(g Gomega) { g.Expect(w.ports("kept")).To(HaveLen(1)) })

	w.remove(n1)
	w.noCondition(late, v1alpha1.ConditionOverlaps)
	w.attached("waits", 1)
}
