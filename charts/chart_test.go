package charts_test

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The chart and kustomize install the same, object by object and field by field.
// The one difference: helm keeps the kinds, and with them users' networks.
func TestChartIsTheManifests(t *testing.T) {
	for name, tc := range map[string]struct {
		values, kustomization string
	}{
		"Default":                  {"--kube-version=1.36", "../manifests/default"},
		"Before1.36":               {"--kube-version=1.35", "../manifests/before-1.36"},
		"Lab":                      {"--values=testdata/lab.yaml", "../manifests/overlays/lab"},
		"NRI":                      {"--set=settings.attachBy=nri", "testdata/nri"},
		"Zones":                    {"--set=settings.fabric=Zones", "testdata/zones"},
		"ZonesLab":                 {"--values=testdata/lab.yaml,testdata/zones.yaml", "../manifests/overlays/zones"},
		"LabEdge":                  {"--values=testdata/lab.yaml,testdata/edge.yaml", "../manifests/overlays/lab-edge"},
		"ZonesEdge":                {"--set=settings.fabric=Zones,edge.enabled=true", "testdata/zones-edge"},
		"EdgeWireGuard":            {"--set=edge.enabled=true,edge.wireGuard=true", "testdata/edge-wireguard"},
		"OVNKubernetes":            {"--set=settings.fabric=OVNKubernetes", "../manifests/overlays/ovn-kubernetes"},
		"OVNKubernetesInUserSpace": {"--set=settings.fabric=OVNKubernetes,settings.datapath=netdev", "testdata/ovn-kubernetes-netdev"},
		"OpenShift":                {"--api-versions=security.openshift.io/v1", "testdata/openshift"},
		"K3s":                      {"--set=nodeFolders.cniBin=/var/lib/rancher/k3s/data/cni,nodeFolders.containerd=/run/k3s/containerd", "testdata/k3s"},
		"RKE2":                     {"--set=nodeFolders.containerd=/run/k3s/containerd", "testdata/rke2"},
		"Talos":                    {"--set=nodeFolders.netns=/var/run/netns", "testdata/talos"},
		"GKE":                      {"--set=nodeFolders.cniBin=/home/kubernetes/bin", "testdata/gke"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chart := rendered(t, tc.values)
			for key, o := range chart {
				if key.kind == "CustomResourceDefinition" {
					if policy, _, _ := unstructured.NestedString(o, "metadata", "annotations", "helm.sh/resource-policy"); policy != "keep" {
						t.Errorf("%s: helm uninstall would delete every object of the kind", key.name)
					}
					unstructured.RemoveNestedField(o, "metadata", "annotations", "helm.sh/resource-policy")
				}
			}
			if diff := gocmp.Diff(kustomized(t, tc.kustomization), chart, gocmp.AllowUnexported(object{})); diff != "" {
				t.Errorf("from kustomize (-) to the chart (+); after a change of manifests run make generate:\n%s", diff)
			}
		})
	}
}

// A cluster that serves the kind gets the policies, whatever its version is; and
// a person may choose.
func TestMutatingPolicies(t *testing.T) {
	const served = "--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
	for name, tc := range map[string]struct {
		args []string
		want int
	}{
		"Served": {[]string{"--kube-version=1.35", served}, 4},
		"Beta":   {[]string{"--kube-version=1.35", strings.Replace(served, "v1", "v1beta1", 1)}, 0},
		"Always": {[]string{"--kube-version=1.35", "--set=mutatingPolicies=always"}, 4},
		"Never":  {[]string{"--kube-version=1.36", served, "--set=mutatingPolicies=never"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			has := 0
			for key := range rendered(t, tc.args...) {
				if strings.HasPrefix(key.kind, "MutatingAdmissionPolicy") {
					has++
				}
			}
			if has != tc.want {
				t.Errorf("%d policies and bindings, want %d", has, tc.want)
			}
		})
	}
}

func TestLint(t *testing.T) {
	out, err := tool(t, "helm", "lint", "--strict", "l2sm")
	if err != nil {
		t.Error(err)
	}
	t.Log(out)
}
