//go:build integration

package v1alpha1_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// server starts a real kube-apiserver with our CRDs (KUBEBUILDER_ASSETS says
// where its binaries are).
func server(t *testing.T) client.Client {
	t.Helper()
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "manifests", "crd")}, ErrorIfCRDPathMissing: true}
	cfg, err := env.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop kube-apiserver: %v", err)
		}
	})
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func object(t *testing.T, kind, name, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := fmt.Sprintf("apiVersion: l2sm.io/v1alpha1\nkind: %s\nmetadata: {name: %s, namespace: default}\nspec: %s", kind, name, spec)
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// What the API server says to each spec, on creation and on change. An empty
// says means that it takes it.
func TestValidation(t *testing.T) {
	c := server(t)
	cases := map[string]struct {
		reason, kind, spec, then, says string
	}{
		"Empty":            {"Pure layer 2 needs no field.", "L2Network", `{}`, "", ""},
		"Dual":             {"One subnet of each family.", "L2Network", `{ipam: {subnets: ["10.0.0.0/8", "fd00::/64"], ranges: ["10.1.0.0/16", "10.2.0.1-10.2.0.9", "fd00::7"], excluded: ["10.1.0.1"]}}`, "", ""},
		"NoCIDR":           {"An address is no subnet.", "L2Network", `{ipam: {subnets: ["10.0.0.0"]}}`, "", "CIDR notation"},
		"Rubbish":          {"Rubbish beside a range does not end in 'no such key'.", "L2Network", `{ipam: {subnets: ["ten"], ranges: ["10.1.0.0/16"]}}`, "", "CIDR notation"},
		"HostBits":         {"Bits behind the prefix are a typing error.", "L2Network", `{ipam: {subnets: ["10.0.0.1/24"]}}`, "", "network address"},
		"TwoOfAFamily":     {"At most one of a family.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24", "10.1.0.0/24"]}}`, "", "one IPv4 and one IPv6"},
		"RangeOutside":     {"Ranges lie inside.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24"], ranges: ["10.0.1.0/28"]}}`, "", "inside one of subnets"},
		"RangeHalfOutside": {"Both ends lie inside.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24"], ranges: ["10.0.0.250-10.0.1.5"]}}`, "", "inside one of subnets"},
		"RangeRubbish":     {"A range has three forms.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24"], ranges: ["10.0.0.1-10.0.0.2-10.0.0.3"]}}`, "", "first-last"},
		"ExcludedOutside":  {"Exclusions lie inside.", "L2Network", `{ipam: {subnets: ["fd00::/64"], excluded: ["10.0.0.1"]}}`, "", "inside one of subnets"},
		"SmallMTU":         {"IPv6 needs 1280.", "L2Network", `{mtu: 1000, ipam: {subnets: ["fd00::/64"]}}`, "", "at least 1280"},
		"SmallMTUv4":       {"IPv4 does not.", "L2Network", `{mtu: 1000, ipam: {subnets: ["10.0.0.0/24"]}}`, "", ""},
		"SelectorAlone":    {"A selector goes with from: Selector.", "L2Network", `{allowedNamespaces: {from: All, selector: {}}}`, "", "selector goes with"},
		"DHCP":             {"OVN answers DHCP where asked to.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24"], dhcp: true}}`, "", ""},
		"SubnetsChange":    {"Subnets stay.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24"]}}`, `{ipam: {subnets: ["10.1.0.0/24"]}}`, "subnets cannot be changed"},
		"IPAMRemoved":      {"ipam stays.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24"]}}`, `{}`, "neither added nor removed"},
		"IPAMAdded":        {"ipam does not come later.", "L2Network", `{}`, `{ipam: {subnets: ["10.0.0.0/24"]}}`, "neither added nor removed"},
		"TypeChange":       {"The type stays.", "L2Network", `{}`, `{type: vlink}`, "type cannot be changed"},
		"RangesChange":     {"Ranges may change.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24"]}}`, `{ipam: {subnets: ["10.0.0.0/24"], ranges: ["10.0.0.0/28"]}}`, ""},
		"Attachment":       {"A pod and a network are enough.", "L2Attachment", `{podName: p, network: {name: net}}`, `{podName: p, network: {name: net}, macAddress: "0a:58:00:00:00:01", interface: net1, addresses: ["10.0.0.1/24", "fd00::1/64"]}`, ""},
		"MACUnset":         {"What is set once is not unset, and so not set anew.", "L2Attachment", `{podName: p, network: {name: net}, macAddress: "0a:58:00:00:00:01"}`, `{podName: p, network: {name: net}}`, "macAddress is set once"},
		"MACChange":        {"The MAC stays.", "L2Attachment", `{podName: p, network: {name: net}, macAddress: "0a:58:00:00:00:01"}`, `{podName: p, network: {name: net}, macAddress: "0a:58:00:00:00:02"}`, "macAddress is set once"},
		"InterfaceChange":  {"The interface stays.", "L2Attachment", `{podName: p, network: {name: net}, interface: net1}`, `{podName: p, network: {name: net}, interface: net2}`, "interface is set once"},
		"AddressesChange":  {"Addresses stay.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.1/24"]}`, `{podName: p, network: {name: net}, addresses: ["10.0.0.2/24"]}`, "addresses are set once"},
		"NetworkChange":    {"Changing the network moves the port.", "L2Attachment", `{podName: p, network: {name: net}}`, `{podName: p, network: {name: other}}`, ""},
		"PodChange":        {"The pod stays.", "L2Attachment", `{podName: p, network: {name: net}}`, `{podName: q, network: {name: net}}`, "podName cannot be changed"},
		"NodeWithoutUID":   {"The binding is whole.", "L2Attachment", `{podName: p, network: {name: net}, nodeName: x}`, "", "nodeName goes with podUID"},
		"MulticastMAC":     {"A port's MAC is unicast.", "L2Attachment", `{podName: p, network: {name: net}, macAddress: "01:00:5e:00:00:01"}`, "", "macAddress"},
		"NoPrefix":         {"Addresses carry their prefix.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.1"]}`, "", "prefix length"},
		"Eth0":             {"eth0 is the cluster's.", "L2Attachment", `{podName: p, network: {name: net}, interface: eth0}`, "", "neither lo nor eth0"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := object(t, tc.kind, strings.ToLower(name), tc.spec)
			err := c.Create(t.Context(), u)
			if tc.then != "" {
				if err != nil {
					t.Fatalf("%s\ncreate: %v", tc.reason, err)
				}
				changed := object(t, tc.kind, strings.ToLower(name), tc.then)
				changed.SetResourceVersion(u.GetResourceVersion())
				err = c.Update(t.Context(), changed)
			}
			if tc.says == "" && err != nil {
				t.Errorf("%s\nrefused: %v", tc.reason, err)
			}
			if tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%s\nwant an error that says %q, got %v", tc.reason, tc.says, err)
			}
			if err != nil && strings.Contains(err.Error(), "no such") {
				t.Errorf("%s\na rule fell over: %v", tc.reason, err)
			}
		})
	}
}

// The columns that kubectl get prints, and the defaults that a user reads back.
func TestDefaultsAndSelectableFields(t *testing.T) {
	c := server(t)
	if err := c.Create(t.Context(), object(t, "L2Network", "plain", `{}`)); err != nil {
		t.Fatal(err)
	}
	var n v1alpha1.L2Network
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "plain"}, &n); err != nil {
		t.Fatal(err)
	}
	if n.Spec.Type != v1alpha1.VNet || n.Spec.AllowedNamespaces.From != v1alpha1.NamespacesFromSame {
		t.Errorf("want defaults vnet and Same, got %+v", n.Spec)
	}
	for _, node := range []string{"a", "b"} {
		spec := fmt.Sprintf(`{podName: p, podUID: u, nodeName: %s, network: {name: net}}`, node)
		if err := c.Create(t.Context(), object(t, "L2Attachment", "on-"+node, spec)); err != nil {
			t.Fatal(err)
		}
	}
	var onA v1alpha1.L2AttachmentList
	if err := c.List(t.Context(), &onA, client.MatchingFields{"spec.nodeName": "a"}); err != nil {
		t.Fatal(err)
	}
	if len(onA.Items) != 1 || onA.Items[0].Name != "on-a" {
		t.Errorf("field selector spec.nodeName=a found %d attachments", len(onA.Items))
	}
}
