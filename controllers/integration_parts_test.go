//go:build integration

package controllers_test

import (
	"encoding/json"
	"strings"
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/controllers"
)

// Controller and agent each own their part of an attachment's status.
func TestFieldOwnership(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/24"))
	w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	w.setReady(&a)
	mtu := int32(1300)
	w.change(n, func() { n.Spec.MTU = &mtu })

	w.eventually(func(g Gomega) {
		a = w.attachments("p")[0]
		g.Expect(a.Status.MTU).To(Equal(mtu), "the controller applies again")
		g.Expect(meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "and leaves the agent's condition alone")
	})
	owned := map[string]string{}
	for _, f := range a.ManagedFields {
		if f.Subresource == "status" {
			owned[f.Manager] = f.FieldsV1.GetRawString()
		}
	}
	g := NewWithT(t)
	g.Expect(owned["l2sm-controller"]).To(And(ContainSubstring("Accepted"), ContainSubstring("portName"), ContainSubstring("mtu"), Not(ContainSubstring("Ready"))))
	g.Expect(owned["l2sm-agent"]).To(And(ContainSubstring("Ready"), Not(ContainSubstring("Accepted"))))
}

func TestDefinitions(t *testing.T) {
	w := start(t)
	mine := &nadv1.NetworkAttachmentDefinition{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "taken"},
		Spec:       nadv1.NetworkAttachmentDefinitionSpec{Config: `{"type":"macvlan"}`},
	}
	w.create(mine)
	lab, taken := w.network("lab", v1alpha1.L2NetworkSpec{}), w.network("taken", v1alpha1.L2NetworkSpec{})

	d := &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "lab"}}
	config := func(d *nadv1.NetworkAttachmentDefinition) func() string {
		return func() string {
			if err := w.Get(t.Context(), keyOf(d), d); err != nil {
				return err.Error()
			}
			return d.Spec.Config
		}
	}
	want := `{"cniVersion":"1.0.0","name":"lab","type":"l2sm","network":{"namespace":"` + w.namespace + `","name":"lab"}}`
	g := NewWithT(t)
	g.Eventually(config(d), patience).Should(MatchJSON(want))
	g.Expect(d.OwnerReferences[0].UID).To(Equal(lab.UID), "it goes with its network")
	pods := &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: v1alpha1.PodNetworksNAD}}
	g.Eventually(config(pods), patience).Should(MatchJSON(`{"cniVersion":"1.0.0","name":"l2sm","type":"l2sm"}`))
	w.told(taken, "DefinitionTaken", "left alone")
	g.Expect(config(mine)()).To(MatchJSON(`{"type":"macvlan"}`))

	w.remove(d)
	w.remove(pods)
	g.Eventually(config(d), patience).Should(MatchJSON(want), "what is deleted by hand comes back")
	g.Eventually(config(pods), patience).Should(ContainSubstring("l2sm"))
	w.change(d, func() { d.Spec.Config = "{}" })
	g.Eventually(config(d), patience).Should(MatchJSON(want), "and so does what is edited")
}

// The Multus annotation by itself: entries that name our definitions are ours,
// others are not our business, readable or not.
func TestMultusAnnotation(t *testing.T) {
	w := start(t)
	w.create(&nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "macvlan"}})
	multus := func(name, text string) *corev1.Pod {
		return w.podWith(name, map[string]string{nadv1.NetworkAttachmentAnnot: text}, nil)
	}
	multus("early", "macvlan, lab")
	w.consistently(func(g Gomega) { g.Expect(w.attachments("early")).To(BeEmpty()) })

	w.network("lab", subnets("10.0.0.0/24"))

	early := w.attached("early", 1)[0]
	NewWithT(t).Expect(early.Spec.Interface).To(Equal("net2"), "Multus names interfaces by position")
	multus("static", `[{"name":"lab","ips":["10.0.0.50/24"],"interface":"data"}]`)
	static := w.attached("static", 1)[0]
	NewWithT(t).Expect(static.Spec.Addresses).To(Equal([]string{"10.0.0.50/24"}))
	NewWithT(t).Expect(static.Spec.Interface).To(Equal("data"))
	foreign := multus("foreign", `[{"name":"macvlan","ips":["not an address"]}]`)
	w.consistently(func(g Gomega) {
		g.Expect(w.attachments("foreign")).To(BeEmpty())
		g.Expect(w.eventsAbout(foreign)).To(BeEmpty())
	})
}

// Without Multus' kind the controller is not ready, says what to do, does the
// rest of its work, and goes on by itself.
func TestMultusComesLater(t *testing.T) {
	env := ownAPI(t)
	w := startOn(t, env)
	ready := controllers.MultusReady(mapper(t, env.Config))
	NewWithT(t).Expect(ready(nil)).To(MatchError(ContainSubstring("install Multus first")))
	n := w.network("lab", subnets("10.0.0.0/24"))
	w.pod("p", "lab")
	w.attached("p", 1)

	if _, err := envtest.InstallCRDs(env.Config, envtest.CRDInstallOptions{Paths: []string{multusCRD}, Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	w.eventually(func(g Gomega) {
		g.Expect(ready(nil)).To(Succeed())
		g.Expect(w.Get(t.Context(), keyOf(n), &nadv1.NetworkAttachmentDefinition{})).To(Succeed())
	})
}

func mapper(t *testing.T, cfg *rest.Config) meta.RESTMapper {
	t.Helper()
	c, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := apiutil.NewDynamicRESTMapper(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNetworkStatus(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24", "fd00::/64"))
	pod := w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	w.setReady(&a)
	w.consistently(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(pod), pod)).To(Succeed())
		g.Expect(pod.Annotations).NotTo(HaveKey(nadv1.NetworkStatusAnnot), "Multus speaks first")
	})

	w.change(pod, func() {
		pod.Annotations[nadv1.NetworkStatusAnnot] = `[{"name":"bridge","interface":"eth0","ips":["10.244.0.7"],"default":true},
			{"name":"l2sm-system/l2sm","interface":"net1","ips":["10.0.0.1"]},{"name":"` + w.namespace + `/macvlan","interface":"net2"}]`
	})

	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(pod), pod)).To(Succeed())
		var all []nadv1.NetworkStatus
		g.Expect(json.Unmarshal([]byte(pod.Annotations[nadv1.NetworkStatusAnnot]), &all)).To(Succeed())
		g.Expect(all).To(Equal([]nadv1.NetworkStatus{
			{Name: "bridge", Interface: "eth0", IPs: []string{"10.244.0.7"}, Default: true},
			{Name: w.namespace + "/lab", Interface: "net1", IPs: []string{"10.0.0.1", "fd00::1"}, Mac: "0a:58:0a:00:00:01", Mtu: 1442},
			{Name: w.namespace + "/macvlan", Interface: "net2"},
		}))
	})
}

// Without Multus nobody speaks first, and pods that have no interface of ours are
// left alone.
func TestNetworkStatusWithoutMultus(t *testing.T) {
	w := start(t)
	w.attachBy = v1alpha1.AttachNRI
	w.restart()
	w.network("lab", subnets("10.0.0.0/24"))
	pod := w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	is := func(g Gomega) []nadv1.NetworkStatus {
		g.Expect(w.Get(t.Context(), keyOf(pod), pod)).To(Succeed())
		all := []nadv1.NetworkStatus{}
		if text, reported := pod.Annotations[nadv1.NetworkStatusAnnot]; reported {
			g.Expect(json.Unmarshal([]byte(text), &all)).To(Succeed())
		}
		return all
	}
	w.consistently(func(g Gomega) {
		is(g)
		g.Expect(pod.Annotations).NotTo(HaveKey(nadv1.NetworkStatusAnnot), "it has no interface yet")
	})
	w.setReady(&a)
	entry := nadv1.NetworkStatus{Name: w.namespace + "/lab", Interface: "net1", IPs: []string{"10.0.0.1"}, Mac: "0a:58:0a:00:00:01", Mtu: 1442}
	w.eventually(func(g Gomega) { g.Expect(is(g)).To(Equal([]nadv1.NetworkStatus{entry})) })
	w.change(pod, func() { delete(pod.Annotations, v1alpha1.NetworksAnnotation) })
	w.eventually(func(g Gomega) { g.Expect(is(g)).To(BeEmpty(), "it has none any more") })
}

// Chassis go with their nodes: ours, and only when the node is gone.
func TestChassisOfRemovedNodes(t *testing.T) {
	w := start(t)
	name := func(s string) string { return s + "-" + w.namespace }
	for _, node := range []string{"stays", "leaves"} {
		w.create(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name(node)}})
	}
	t.Cleanup(func() { _ = w.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name("stays")}}) })
	for i, chassis := range []string{"stays", "leaves", "left-before"} {
		w.SB.Ctl("chassis-add", name(chassis), "geneve", "192.0.2."+string(rune('1'+i)), "--", "set", "Chassis", name(chassis), "other_config:ovn-cms-options=l2sm")
	}
	w.SB.Ctl("chassis-add", "foreign", "geneve", "192.0.2.9")
	chassis := func() []string { return strings.Fields(w.SB.Ctl("--bare", "--columns=name", "list", "Chassis")) }

	w.eventually(func(g Gomega) { g.Expect(chassis()).To(ConsistOf(name("stays"), name("leaves"), "foreign")) })
	w.remove(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name("leaves")}})
	w.eventually(func(g Gomega) { g.Expect(chassis()).To(ConsistOf(name("stays"), "foreign")) })

	// Its ovn-controller still runs: that is no race to win.
	w.SB.Ctl("chassis-add", name("leaves"), "geneve", "192.0.2.2", "--", "set", "Chassis", name("leaves"), "other_config:ovn-cms-options=l2sm")
	w.consistently(func(g Gomega) { g.Expect(chassis()).To(ConsistOf(name("stays"), name("leaves"), "foreign")) })
}
