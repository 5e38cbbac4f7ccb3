//go:build integration

package controllers_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/peers"
)

// startBesidePeers is start in a cluster of OVN-Kubernetes.
func startBesidePeers(t *testing.T, on *api) *world {
	t.Helper()
	w := &world{fabric: v1alpha1.FabricOVNKubernetes, keys: allKeys}
	w.startOn(t, on)
	return w
}

// userDefinedCRDs are OVN-Kubernetes' kinds, which a cluster may lack.
var userDefinedCRDs = filepath.Join("testdata", "user-defined-networks.yaml")

// theirs makes a definition of OVN-Kubernetes', as a UserDefinedNetwork does.
func (w *world) theirs(namespace, name, subnets string) *nadv1.NetworkAttachmentDefinition {
	w.t.Helper()
	d := &nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	d.Spec.Config = fmt.Sprintf(`{"cniVersion":"1.0.0","name":"%[1]s_%[2]s","type":"ovn-k8s-cni-overlay","topology":"layer2","netAttachDefName":"%[1]s/%[2]s","role":"secondary","subnets":%[3]q}`,
		namespace, name, subnets)
	w.create(d)
	return d
}

func userDefined(kind schema.GroupVersionKind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetGroupVersionKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// selecting is the spec of a ClusterUserDefinedNetwork for namespaces of a label.
func selecting(key, value string) map[string]any {
	return map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{key: value}}}
}

func (w *world) overlapsPeer(n *v1alpha1.L2Network, about string) {
	w.t.Helper()
	w.condition(n, v1alpha1.ConditionOverlaps, metav1.ConditionTrue, v1alpha1.ReasonOverlapsPeers, about)
}

func (w *world) sameName(n *v1alpha1.L2Network, about string) {
	w.t.Helper()
	w.condition(n, v1alpha1.ConditionSameName, metav1.ConditionTrue, v1alpha1.ReasonSameName, about)
}

// Addresses that OVN-Kubernetes' networks have too are a warning where a pod may be on
// both, as long as they have them.
func TestPeersOverlaps(t *testing.T) {
	w := startBesidePeers(t, shared)
	own := w.network("own", subnets("172.20.0.0/24", "fd20::/64"))
	w.pod("p", "own")
	w.attached("p", 1)
	spec := subnets("172.20.0.0/24")
	spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"guest": "yes"}}}
	shared := w.network("shared", spec)
	beside := w.network("beside", subnets("172.21.0.0/24"))
	all := []*v1alpha1.L2Network{own, shared, beside}
	for _, n := range all {
		w.noCondition(n, v1alpha1.ConditionOverlaps)
	}

	here := w.theirs(w.namespace, "here", "172.20.0.0/16/24, fd99::/64")
	w.overlapsPeer(own, `172.20.0.0/16 of NetworkAttachmentDefinition "`+w.namespace+`/here"`)
	w.overlapsPeer(shared, "/here")
	w.condition(own, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "")
	w.told(own, v1alpha1.ReasonOverlapsPeers, "/here")
	w.noCondition(beside, v1alpha1.ConditionOverlaps)
	w.pod("q", "own")
	w.attached("q", 1)

	w.restart()
	w.attached("q", 1)
	w.overlapsPeer(own, "/here")
	w.change(here, func() { here.Spec.Config = strings.ReplaceAll(here.Spec.Config, "172.20.", "172.22.") })
	for _, n := range all {
		w.noCondition(n, v1alpha1.ConditionOverlaps)
	}

	w.theirs(w.other, "there", "172.20.0.128/25")
	w.consistently(func(Gomega) { w.noCondition(shared, v1alpha1.ConditionOverlaps) })
	w.label(w.other, "guest", "yes")
	w.overlapsPeer(shared, `NetworkAttachmentDefinition "`+w.other+`/there"`)
	w.noCondition(own, v1alpha1.ConditionOverlaps)
	w.label(w.other, "guest", "no")
	w.noCondition(shared, v1alpha1.ConditionOverlaps)
}

// What went while no controller ran takes its condition with it, and what is there
// keeps it through a restart.
func TestPeersGoUnseen(t *testing.T) {
	w := startBesidePeers(t, shared)
	goes, stays := w.network("goes", subnets("172.20.0.0/24")), w.network("stays", subnets("172.21.0.0/24"))
	one, _ := w.theirs(w.namespace, "one", "172.20.0.0/24"), w.theirs(w.namespace, "two", "172.21.0.0/24")
	name := userDefined(peers.Namespaced, w.namespace, "goes", map[string]any{})
	w.create(name)
	w.overlapsPeer(goes, "/one")
	w.sameName(goes, "UserDefinedNetwork")
	w.overlapsPeer(stays, "/two")
	said := stays.ResourceVersion

	w.stop()
	w.remove(one)
	w.remove(name)
	w.run()
	w.noCondition(goes, v1alpha1.ConditionOverlaps)
	w.noCondition(goes, v1alpha1.ConditionSameName)
	w.overlapsPeer(stays, "/two")
	NewWithT(t).Expect(stays.ResourceVersion).To(Equal(said), "a restart takes nothing back")
}

// A network of theirs with the name of ours is a warning, whichever kind it is, and
// whenever the API gets the kind.
func TestPeersOfTheSameName(t *testing.T) {
	env := ownAPI(t)
	w := startBesidePeers(t, env)
	net := w.network("net", v1alpha1.L2NetworkSpec{})
	w.noCondition(net, v1alpha1.ConditionSameName)
	for _, crds := range []string{multusCRD, userDefinedCRDs} {
		if _, err := envtest.InstallCRDs(w.api.Config, envtest.CRDInstallOptions{Paths: []string{crds}}); err != nil {
			t.Fatal(err)
		}
	}
	w.definition("net") // ours, which is not one of theirs

	namespaced := userDefined(peers.Namespaced, w.namespace, "net", map[string]any{"topology": "Layer2"})
	w.create(namespaced)
	w.sameName(net, `UserDefinedNetwork "`+w.namespace+`/net" of OVN-Kubernetes`)
	w.told(net, v1alpha1.ReasonSameName, "UserDefinedNetwork")
	w.remove(namespaced)
	w.noCondition(net, v1alpha1.ConditionSameName)

	clusterWide := userDefined(peers.ClusterWide, "", "net", selecting("team", "a"))
	w.create(clusterWide)
	w.consistently(func(Gomega) { w.noCondition(net, v1alpha1.ConditionSameName) })
	w.label(w.namespace, "team", "a")
	w.sameName(net, `ClusterUserDefinedNetwork "net"`)
	w.change(clusterWide, func() { clusterWide.Object["spec"] = selecting("team", "b") })
	w.noCondition(net, v1alpha1.ConditionSameName)
	w.remove(clusterWide)

	w.theirs(w.namespace, "late", "10.77.0.0/24")
	late := w.network("late", v1alpha1.L2NetworkSpec{})
	w.sameName(late, `NetworkAttachmentDefinition "`+w.namespace+`/late"`)
}

// What tenants write into definitions does no harm.
func TestPeersHostile(t *testing.T) {
	w := startBesidePeers(t, shared)
	many := make([]string, 20_000)
	for i := range many {
		many[i] = fmt.Sprintf("10.%d.%d.0/24", i/256%256, i%256)
	}
	deep := strings.Repeat(`{"plugins":[`, 20_000)
	for name, config := range map[string]string{
		"broken": `{"type":"ovn-k8s-cni-overlay","subnets":`, "list": `{"type":"ovn-k8s-cni-overlay","subnets":["10.66.0.0/24"]}`, "empty": ``, "null": `null`, "deep": deep,
		"some": `{"type":"ovn-k8s-cni-overlay","subnets":"` + strings.Join(many[:4000], ",") + `"}`,
		"many": `{"type":"ovn-k8s-cni-overlay","subnets":"` + strings.Join(many, ",") + `"}`,
		"odd":  `{"type":"ovn-k8s-cni-overlay","subnets":"10.66.0.0,/,10.66.0.0/99,:::/0,10.66.0.0/-1"}`,
	} {
		w.create(&nadv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: nadv1.NetworkAttachmentDefinitionSpec{Config: config}})
	}
	for name, selector := range map[string]any{"hostile": "all", "worse": map[string]any{"matchExpressions": []any{map[string]any{"key": "//", "operator": "Is"}}}} {
		o := userDefined(peers.ClusterWide, "", name, map[string]any{"namespaceSelector": selector})
		w.create(o)
		t.Cleanup(func() { _ = w.Delete(context.Background(), o) })
	}
	n := w.network("hostile", subnets("10.66.0.0/24"))
	worse := w.network("worse", v1alpha1.L2NetworkSpec{})
	w.theirs(w.namespace, "good", "10.66.0.0/24")
	w.overlapsPeer(n, "/good")
	w.noCondition(n, v1alpha1.ConditionSameName)
	w.noCondition(worse, v1alpha1.ConditionSameName)
}

// label gives a namespace a label.
func (w *world) label(namespace, key, value string) {
	w.t.Helper()
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	o.SetName(namespace)
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, key, value))
	if err := w.Patch(w.t.Context(), o, patch); err != nil {
		w.t.Fatal(err)
	}
}
