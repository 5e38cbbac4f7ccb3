//go:build integration

package controllers_test

import (
	"strings"
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// quiet checks that the controller makes no such request, for as long as one
// that makes them in a loop would need for many.
func (w *world) quiet(calls ...string) {
	w.t.Helper()
	before := map[string]int{}
	for _, call := range calls {
		before[call] = w.lag.counted(call)
	}
	w.consistently(func(Gomega) {})
	for _, call := range calls {
		if made := w.lag.counted(call) - before[call]; made > 2 {
			w.t.Errorf("%d times %s while nothing changes", made, call)
		}
	}
}

// toldOnce waits for an event about an object, and checks that it stays the
// only one of its reason.
func (w *world) toldOnce(about *corev1.Pod, reason, message string) {
	w.t.Helper()
	w.told(about, reason, message)
	var all []string
	for _, e := range w.eventsAbout(about) {
		if strings.HasPrefix(e, reason+": ") {
			all = append(all, e)
		}
	}
	if len(all) != 1 {
		w.t.Errorf("got the events %q, want one", all)
	}
}

// What has an attachment's name waits for nobody, and the pod waits for it
// without a request.
func TestSquattedName(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	pod := w.podWith("p", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, func(p *corev1.Pod) { p.Spec.NodeName = "" })
	squatter := w.attach("p-net1-"+string(pod.UID[:8]), "another", "lab")
	w.accepted(squatter, nil)
	w.bind(pod, "node-a")

	w.told(pod, "AttachmentObstructed", squatter.Name)
	w.quiet("POST l2attachments", "GET pods", "PATCH events", "POST events")
	w.toldOnce(pod, "AttachmentObstructed", squatter.Name)

	w.remove(squatter)
	w.attached("p", 1)
}

// So it is with one of the pod's own that somebody's finalizer keeps.
func TestForeignFinalizer(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	pod := w.pod("p", "lab@data0")
	a := w.attached("p", 1)[0]
	w.change(&a, func() { a.Finalizers = []string{"example.com/backup"} })
	w.remove(&a)

	w.told(pod, "AttachmentObstructed", "example.com/backup")
	w.quiet("POST l2attachments", "GET pods", "DELETE l2attachments", "PATCH events", "POST events")
	w.toldOnce(pod, "AttachmentObstructed", "example.com/backup")

	w.change(&a, func() { a.Finalizers = nil })
	next := w.attached("p", 1)[0]
	NewWithT(t).Expect(next.UID).NotTo(Equal(a.UID))
}

// A quota that is used up is told in its own words, where the user looks.
func TestQuota(t *testing.T) {
	w := start(t)
	network := w.network("lab", subnets("10.10.0.0/24"))
	w.definition("lab")
	w.pod("one", "lab")
	w.attached("one", 1)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "few"}}
	hard := func(attachments, definitions string) {
		quota.Spec.Hard = corev1.ResourceList{
			"count/l2attachments.l2sm.io":                          resource.MustParse(attachments),
			"count/network-attachment-definitions.k8s.cni.cncf.io": resource.MustParse(definitions),
		}
	}
	used := corev1.ResourceList{
		"count/l2attachments.l2sm.io":                          resource.MustParse("1"),
		"count/network-attachment-definitions.k8s.cni.cncf.io": resource.MustParse("1"),
	}
	hard("1", "1")
	w.create(quota)
	set := func() { // as kube-controller-manager does
		w.eventually(func(g Gomega) {
			g.Expect(w.Get(t.Context(), keyOf(quota), quota)).To(Succeed())
			quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: used}
			g.Expect(w.Status().Update(t.Context(), quota)).To(Succeed())
		})
	}
	set()
	pod := w.pod("two", "lab")
	w.told(pod, "CreationRefused", "exceeded quota: few")
	more := w.network("more", v1alpha1.L2NetworkSpec{})
	w.told(more, "CreationRefused", "exceeded quota: few")
	w.consistently(func(Gomega) {})
	if made := w.lag.counted("POST l2attachments"); made > 12 {
		t.Errorf("%d times POST l2attachments for two pods", made)
	}
	w.toldOnce(pod, "CreationRefused", "exceeded quota: few")
	if e := w.eventsAbout(network); len(e) > 0 {
		t.Errorf("the events %q are about a network that has its definition", e)
	}

	w.change(quota, func() { hard("5", "5") })
	set()
	w.attached("two", 1)
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(more), &nadv1.NetworkAttachmentDefinition{})).To(Succeed())
	})
}

// An edit that asks for an interface that the pod has cuts nobody off.
func TestFirstHolderOfAnInterface(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	w.network("lab2", subnets("10.0.1.0/24"))
	pod := w.pod("p", "")
	holder := w.attach("db", "p", "lab", func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "data0" })
	w.accepted(holder, pod)
	bound := holder.Generation

	w.change(pod, func() { pod.Annotations = map[string]string{v1alpha1.NetworksAnnotation: "lab2@data0"} })

	var late v1alpha1.L2Attachment
	w.eventually(func(g Gomega) {
		all := w.attachments("p")
		g.Expect(all).To(HaveLen(2))
		late = all[0]
		if late.Name == holder.Name {
			late = all[1]
		}
	})
	w.reason(&late, v1alpha1.ConditionAccepted, "InterfaceTaken", "data0")
	w.told(pod, "InterfaceTaken", "data0")
	NewWithT(t).Expect(late.Complete()).To(BeFalse(), "what is refused holds no address")
	w.change(holder, func() { holder.Labels = map[string]string{"looked": "at"} })
	w.consistently(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(holder), holder)).To(Succeed())
		g.Expect(holder.Generation).To(Equal(bound), "it was never unbound")
		g.Expect(holder.Status.PortName).NotTo(BeEmpty())
		g.Expect(w.ports("lab")).To(ConsistOf(holder.Status.PortName))
	})

	w.remove(holder)
	w.attached("p", 1)
}

// An edit that can't be read cuts nobody off.
func TestUnreadableEditCutsNobodyOff(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	pod := w.pod("p", "lab")
	w.attached("p", 1)
	hot := w.attach("hot", "p", "lab")
	w.accepted(hot, pod)
	before := w.attached("p", 2)
	w.change(pod, func() { pod.Annotations[v1alpha1.NetworksAnnotation] = "lab,,lab" })
	w.told(pod, "InvalidNetworks", "empty")
	w.consistently(func(g Gomega) {
		after := w.attachments("p")
		g.Expect(after).To(HaveLen(2))
		for i := range after {
			g.Expect(after[i].Spec).To(Equal(before[i].Spec))
		}
	})
}

// An annotation that can't be read is told once, and looked at no more.
func TestUnreadableIsToldOnce(t *testing.T) {
	w := start(t)
	w.network("a", v1alpha1.L2NetworkSpec{})
	w.network("b", v1alpha1.L2NetworkSpec{})
	w.network("dotted.name", v1alpha1.L2NetworkSpec{})
	w.pod("ok", "a, b, dotted.name")
	w.attached("ok", 3)
	w.eventually(func(g Gomega) {
		for _, name := range []string{"a", "b", "dotted.name"} {
			d := &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
			g.Expect(w.Get(t.Context(), keyOf(d), d)).To(Succeed())
		}
	})
	cases := map[string]struct{ reason, key, asks, says string }{
		"Null":   {"null is no entry", nadv1.NetworkAttachmentAnnot, "[null]", "null"},
		"Twice":  {"one name for two entries", nadv1.NetworkAttachmentAnnot, "a@x,b@x", "both ask for interface"},
		"Dotted": {"Multus refuses dots in a plain list", nadv1.NetworkAttachmentAnnot, "dotted.name", "write JSON"},
		"Many":   {"65 entries", v1alpha1.NetworksAnnotation, strings.TrimSuffix(strings.Repeat("a,", 65), ","), "more than 64 entries"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			inner := *w
			inner.t = t
			pod := inner.podWith("p-"+lower(name), map[string]string{tc.key: tc.asks}, nil)
			inner.told(pod, "InvalidNetworks", tc.says)
			inner.quiet("POST l2attachments", "GET pods", "PATCH events", "POST events")
			NewWithT(t).Expect(inner.attachments(pod.Name)).To(BeEmpty())
		})
	}
}

// The pod's main network is the cluster's: ours can't be it.
func TestMainNetwork(t *testing.T) {
	w := start(t)
	const key = "v1.multus-cni.io/default-network"
	early := w.podWith("early", map[string]string{key: w.namespace + "/lab"}, nil)
	w.consistently(func(g Gomega) { g.Expect(w.eventsAbout(early)).To(BeEmpty()) })
	w.network("lab", v1alpha1.L2NetworkSpec{})
	w.told(early, "MainNetwork", "cannot be a pod's main network")
	pod := w.podWith("p", map[string]string{key: w.namespace + "/lab"}, nil)
	w.told(pod, "MainNetwork", "cannot be a pod's main network")
	other := w.podWith("other", map[string]string{key: "kube-system/cluster"}, nil)
	w.consistently(func(g Gomega) { g.Expect(w.eventsAbout(other)).To(BeEmpty()) })
}
