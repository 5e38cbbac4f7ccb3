//go:build integration

package controllers_test

import (
	"encoding/json"
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// definition waits for a definition that is ours, or what stands under its name.
func (w *world) definition(name string) *nadv1.NetworkAttachmentDefinition {
	w.t.Helper()
	d := &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	w.eventually(func(g Gomega) { g.Expect(w.Get(w.t.Context(), keyOf(d), d)).To(Succeed()) })
	return d
}

func (w *world) multusPod(name, networks string) *corev1.Pod {
	w.t.Helper()
	return w.podWith(name, map[string]string{nadv1.NetworkAttachmentAnnot: networks}, nil)
}

// Whatever becomes of a definition, who is attached by it stays so.
func TestDefinitionsGoAndPodsStay(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	d := w.definition("lab")
	var before []v1alpha1.L2Attachment
	pods := []string{"p", "q", "r"}
	for _, name := range pods {
		w.multusPod(name, "lab")
		before = append(before, w.attached(name, 1)...)
	}
	stay := func(why string) {
		t.Helper()
		w.consistently(func(g Gomega) {
			for i, name := range pods {
				all := w.attachments(name)
				g.Expect(all).To(HaveLen(1), why)
				g.Expect(all[0].UID).To(Equal(before[i].UID), why)
			}
		})
	}
	restored := func(why string) {
		t.Helper()
		w.eventually(func(g Gomega) {
			g.Expect(w.Get(t.Context(), keyOf(d), d)).To(Succeed(), why)
			g.Expect(d.Labels["app.kubernetes.io/managed-by"]).To(Equal("l2sm"), why)
			g.Expect(d.Spec.Config).To(ContainSubstring(`"type":"l2sm"`), why)
			g.Expect(d.OwnerReferences).To(HaveLen(1), why)
		})
	}
	w.remove(d)
	stay("a definition that is deleted")
	restored("and is made again")

	w.change(d, func() { d.Labels["app.kubernetes.io/managed-by"], d.Spec.Config = "Helm", "{}" })
	stay("a definition that is relabelled")
	restored("is restored")

	w.change(d, func() { d.Labels, d.OwnerReferences, d.Spec.Config = nil, nil, `{"type":"macvlan"}` })
	stay("a definition that is somebody else's by now")
	w.restart()
	stay("and a new controller")
	w.remove(d)
	restored("gives way to ours")
	stay("as before")
}

// A definition of the network's name that is not ours: other plugins' entries
// stay theirs, and nothing is made for who did not ask us.
func TestForeignDefinitionGoes(t *testing.T) {
	w := start(t)
	foreign := &nadv1.NetworkAttachmentDefinition{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "mine"},
		Spec:       nadv1.NetworkAttachmentDefinitionSpec{Config: `{"type":"ptp"}`},
	}
	w.create(foreign)
	w.network("mine", subnets("10.0.0.0/24"))
	name := w.namespace + "/mine"
	entry := func(name, iface string) nadv1.NetworkStatus { return nadv1.NetworkStatus{Name: name, Interface: iface} }
	eth0 := nadv1.NetworkStatus{Name: "cluster", Interface: "eth0", Default: true}
	ran := func(pod *corev1.Pod, entries ...nadv1.NetworkStatus) { // as Multus says
		text, err := json.Marshal(append([]nadv1.NetworkStatus{eth0}, entries...))
		if err != nil {
			t.Fatal(err)
		}
		w.change(pod, func() { pod.Annotations[nadv1.NetworkStatusAnnot] = string(text) })
		w.setPhase(pod, corev1.PodRunning)
	}
	status := func(g Gomega, pod *corev1.Pod) (all []string) {
		g.Expect(w.Get(t.Context(), keyOf(pod), pod)).To(Succeed())
		var list []nadv1.NetworkStatus
		g.Expect(json.Unmarshal([]byte(pod.Annotations[nadv1.NetworkStatusAnnot]), &list)).To(Succeed())
		for _, s := range list {
			all = append(all, s.Name+"@"+s.Interface)
		}
		return all
	}
	theirs := w.multusPod("theirs", "mine")
	both := w.podWith("both", map[string]string{nadv1.NetworkAttachmentAnnot: "mine, l2sm-system/l2sm", v1alpha1.NetworksAnnotation: "mine"}, nil)
	own := w.attached("both", 1)[0]
	ran(theirs, entry(name, "net1"))
	ran(both, entry(name, "net1"), entry("l2sm-system/l2sm", "net2"))
	w.setReady(&own)

	w.eventually(func(g Gomega) {
		g.Expect(status(g, both)).To(Equal([]string{"cluster@eth0", name + "@net1", name + "@net2"}))
	})
	w.remove(foreign)
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(foreign), foreign)).To(Succeed())
		g.Expect(foreign.Spec.Config).To(ContainSubstring("l2sm"))
	})
	w.told(theirs, "WiredByOtherPlugin", "net1")
	unchanged := func(g Gomega) {
		g.Expect(w.attachments("theirs")).To(BeEmpty())
		g.Expect(w.attachments("both")).To(HaveLen(1))
		g.Expect(status(g, theirs)).To(Equal([]string{"cluster@eth0", name + "@net1"}))
		g.Expect(status(g, both)).To(Equal([]string{"cluster@eth0", name + "@net1", name + "@net2"}))
	}
	w.consistently(unchanged)
	w.restart()
	w.consistently(unchanged)

	w.multusPod("next", "mine")
	w.attached("next", 1)
	w.change(theirs, func() { theirs.Annotations[nadv1.NetworkAttachmentAnnot] = "mine, mine@data0" })
	NewWithT(t).Expect(w.attached("theirs", 1)[0].Spec.Interface).To(Equal("data0"), "who asks now is served")
}

// An edit of a running pod's Multus annotation moves no entry that stays.
func TestMultusAnnotationIsEdited(t *testing.T) {
	w := start(t)
	for i, name := range []string{"a", "b", "c"} {
		w.network(name, subnets([]string{"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"}[i]))
		w.definition(name)
	}
	pod := w.multusPod("p", "a,b")
	var b v1alpha1.L2Attachment
	for _, a := range w.attached("p", 2) {
		if a.Spec.Network.Name == "b" {
			b = a
		}
	}
	NewWithT(t).Expect(b.Spec.Interface).To(Equal("net2"))
	interfaces := func() map[string]string {
		all := map[string]string{}
		for _, a := range w.attachments("p") {
			all[a.Spec.Network.Name] = a.Spec.Interface
		}
		return all
	}
	edit := func(reason, networks string, want map[string]string) {
		t.Helper()
		w.change(pod, func() { pod.Annotations[nadv1.NetworkAttachmentAnnot] = networks })
		w.eventually(func(g Gomega) { g.Expect(interfaces()).To(Equal(want), reason) })
		w.consistently(func(g Gomega) {
			g.Expect(interfaces()).To(Equal(want), reason)
			stays := &v1alpha1.L2Attachment{}
			g.Expect(w.Get(t.Context(), keyOf(&b), stays)).To(Succeed())
			g.Expect(stays.UID).To(Equal(b.UID), reason)
			g.Expect(stays.Spec).To(Equal(b.Spec), reason)
		})
	}
	edit("what stays is not renamed", "b", map[string]string{"b": "net2"})
	edit("what comes takes a free name", "b,c", map[string]string{"b": "net2", "c": "net1"})
	edit("the order means nothing", "c,b", map[string]string{"b": "net2", "c": "net1"})
	w.restart()
	edit("nor does a restart", "b", map[string]string{"b": "net2"})
}
