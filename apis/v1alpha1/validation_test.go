//go:build integration

package v1alpha1_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// server starts a real kube-apiserver with our CRDs (KUBEBUILDER_ASSETS says
// where its binaries are).
func server(t *testing.T) (client.Client, *rest.Config) {
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
	return c, cfg
}

func object(t *testing.T, kind, name, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := fmt.Sprintf("apiVersion: l2sm.io/v1alpha1\nkind: %s\nmetadata: {name: %s, namespace: default}\nspec: %s", kind, name, spec)
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	switch kind {
	case "L2Edge", "L2Peer":
		u.SetNamespace("")
	}
	return u
}

// What the API server says to each spec, on creation and on change.
func TestValidation(t *testing.T) {
	c, _ := server(t)
	validate(t, c, map[string]validation{
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
		"MACUnset":         {"What is set once is not unset, and so not set again.", "L2Attachment", `{podName: p, network: {name: net}, macAddress: "0a:58:00:00:00:01"}`, `{podName: p, network: {name: net}}`, "macAddress is set once"},
		"MACChange":        {"The MAC stays.", "L2Attachment", `{podName: p, network: {name: net}, macAddress: "0a:58:00:00:00:01"}`, `{podName: p, network: {name: net}, macAddress: "0a:58:00:00:00:02"}`, "macAddress is set once"},
		"InterfaceChange":  {"The interface stays.", "L2Attachment", `{podName: p, network: {name: net}, interface: net1}`, `{podName: p, network: {name: net}, interface: net2}`, "interface is set once"},
		"AddressesChange":  {"Addresses stay.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.1/24"]}`, `{podName: p, network: {name: net}, addresses: ["10.0.0.2/24"]}`, "addresses are set once"},
		"NetworkChange":    {"Changing the network moves the port.", "L2Attachment", `{podName: p, network: {name: net}}`, `{podName: p, network: {name: other}}`, ""},
		"Roles":            {"Roles may change.", "L2Attachment", `{podName: p, network: {name: net}, roles: [Router]}`, `{podName: p, network: {name: net}, roles: [DHCPServer, Router]}`, ""},
		"RoleUnknown":      {"There are two.", "L2Attachment", `{podName: p, network: {name: net}, roles: [King]}`, "", "supported values"},
		"RoleTwice":        {"A set holds each once.", "L2Attachment", `{podName: p, network: {name: net}, roles: [Router, Router]}`, "", "Duplicate"},
		"AllowedRoles":     {"Networks may change what they allow, also to nothing.", "L2Network", `{allowedRoles: [Router, DHCPServer]}`, `{allowedRoles: []}`, ""},
		"PodChange":        {"The pod stays.", "L2Attachment", `{podName: p, network: {name: net}}`, `{podName: q, network: {name: net}}`, "podName cannot be changed"},
		"NodeWithoutUID":   {"The binding is whole.", "L2Attachment", `{podName: p, network: {name: net}, nodeName: x}`, "", "nodeName goes with podUID"},
		"MulticastMAC":     {"A port's MAC is unicast.", "L2Attachment", `{podName: p, network: {name: net}, macAddress: "01:00:5e:00:00:01"}`, "", "macAddress"},
		"NoPrefix":         {"Addresses carry their prefix.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.1"]}`, "", "prefix length"},
		"Eth0":             {"eth0 is the cluster's.", "L2Attachment", `{podName: p, network: {name: net}, interface: eth0}`, "", "neither lo nor eth0"},

		"SubnetMulticast":   {"Groups have no hosts.", "L2Network", `{ipam: {subnets: ["224.0.0.0/4"]}}`, "", "may not overlap"},
		"SubnetLoopback":    {"It never leaves a host.", "L2Network", `{ipam: {subnets: ["127.0.0.0/8"]}}`, "", "may not overlap"},
		"SubnetInLoopback":  {"Nor does a part of it.", "L2Network", `{ipam: {subnets: ["127.5.0.0/16"]}}`, "", "may not overlap"},
		"SubnetEverything":  {"All other networks are in it.", "L2Network", `{ipam: {subnets: ["0.0.0.0/0"]}}`, "", "may not overlap"},
		"SubnetHalf":        {"Multicast is in it.", "L2Network", `{ipam: {subnets: ["128.0.0.0/1"]}}`, "", "may not overlap"},
		"SubnetReserved":    {"Class E.", "L2Network", `{ipam: {subnets: ["240.0.0.0/8"]}}`, "", "may not overlap"},
		"SubnetBroadcast":   {"The limited broadcast is in it.", "L2Network", `{ipam: {subnets: ["255.255.255.0/24"]}}`, "", "may not overlap"},
		"SubnetZero":        {"RFC 791.", "L2Network", `{ipam: {subnets: ["0.0.0.0/8"]}}`, "", "may not overlap"},
		"SubnetEverything6": {"The same in IPv6, beside a good one.", "L2Network", `{ipam: {subnets: ["10.0.0.0/24", "::/0"]}}`, "", "may not overlap"},
		"SubnetMulticast6":  {"Groups have no hosts.", "L2Network", `{ipam: {subnets: ["ff02::/64"]}}`, "", "may not overlap"},
		"SubnetLinkLocal6":  {"Every interface has an address there.", "L2Network", `{ipam: {subnets: ["fe80::/64"]}}`, "", "may not overlap"},
		"SubnetLoopback6":   {"It never leaves a host.", "L2Network", `{ipam: {subnets: ["::1/128"]}}`, "", "may not overlap"},
		"SubnetMapped":      {"It is no IPv6 subnet.", "L2Network", `{ipam: {subnets: ["::ffff:10.0.0.0/120"]}}`, "", "CIDR notation"},
		"SubnetZone":        {"A zone means something on one host only.", "L2Network", `{ipam: {subnets: ["fe80::%eth0/64"]}}`, "", "CIDR notation"},
		"SubnetLinkLocal4":  {"RFC 3927 addresses work.", "L2Network", `{ipam: {subnets: ["169.254.0.0/16"]}}`, "", ""},
		"SubnetEdges":       {"Those beside the impossible work.", "L2Network", `{ipam: {subnets: ["223.255.255.0/24", "fec0::/10"]}}`, "", ""},

		"SelectorOperator":  {"Operators are written In, NotIn, Exists and DoesNotExist.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: in, values: [b]}]}}}`, "", "In, NotIn, Exists"},
		"SelectorNoValues":  {"In needs values.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: In}]}}}`, "", "values"},
		"SelectorValues":    {"Exists takes none.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}}`, "", "values"},
		"SelectorMany":      {"A selector is read for each namespace.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchExpressions: [` + strings.Repeat("{key: a, operator: Exists},", 65) + `]}}}`, "", "at most 64"},
		"SelectorManyIn":    {"So are the values.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: In, values: [` + strings.Repeat("x,", 65) + `]}]}}}`, "", "at most 64"},
		"SelectorLabel":     {"A key that no label can have.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchLabels: {` + strings.Repeat("a", 318) + `: c}}}}`, "", "longer than a label"},
		"SelectorLabelName": {"A value that no label can have.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchLabels: {a: ` + strings.Repeat("a", 64) + `}}}}`, "", "longer than a label"},
		"SelectorKey":       {"A key that no label can have.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchExpressions: [{key: ` + strings.Repeat("a", 318) + `, operator: Exists}]}}}`, "", "longer than a label"},
		"SelectorAll":       {"All that a label selector may say.", "L2Network", `{allowedNamespaces: {from: Selector, selector: {matchLabels: {example.com/team: "", kubernetes.io/metadata.name: lab}, matchExpressions: [{key: a, operator: In, values: [b, ""]}, {key: c, operator: NotIn, values: [d]}, {key: e, operator: Exists}, {key: f, operator: DoesNotExist, values: []}]}}}`, "", ""},
		"MaxAttachments":    {"A guest namespace may have one.", "L2Network", `{allowedNamespaces: {from: All, maxAttachments: 1}}`, "", ""},
		"NoAttachments":     {"None is what from says.", "L2Network", `{allowedNamespaces: {from: All, maxAttachments: 0}}`, "", "maxAttachments"},
		"TooManyAllowed":    {"More than a network of this size has.", "L2Network", `{allowedNamespaces: {from: All, maxAttachments: 65537}}`, "", "maxAttachments"},

		"Dots":             {"They are directories.", "L2Attachment", `{podName: p, network: {name: net}, interface: ".."}`, "", "neither"},
		"UpAndAway":        {"It is a path of sysctls.", "L2Attachment", `{podName: p, network: {name: net}, interface: "../x"}`, "", "slash"},
		"NetTemplate":      {"The kernel fills in the number here too.", "L2Attachment", `{podName: p, network: {name: net}, interface: "net%d"}`, "", "percent"},
		"All":              {"It is every interface's settings.", "L2Attachment", `{podName: p, network: {name: net}, interface: all}`, "", "neither"},
		"Default":          {"It is the next interface's settings.", "L2Attachment", `{podName: p, network: {name: net}, interface: default}`, "", "neither"},
		"Template":         {"The kernel fills in the number.", "L2Attachment", `{podName: p, network: {name: net}, interface: "x%d"}`, "", "percent"},
		"SixteenBytes":     {"Eight characters may have sixteen bytes.", "L2Attachment", `{podName: p, network: {name: net}, interface: "éééééééé"}`, "", "ASCII"},
		"Control":          {"Nobody could type it.", "L2Attachment", `{podName: p, network: {name: net}, interface: "a\u0001b"}`, "", "ASCII"},
		"Space":            {"The kernel takes no white space.", "L2Attachment", `{podName: p, network: {name: net}, interface: "a b"}`, "", "ASCII"},
		"OddInterface":     {"All that the kernel takes.", "L2Attachment", `{podName: p, network: {name: net}, interface: "-A_.~!$#@15bytes"}`, "", "15"},
		"OddInterface15":   {"All that the kernel takes.", "L2Attachment", `{podName: p, network: {name: net}, interface: "-A_.~!$#@&15byt"}`, "", ""},
		"ZeroMAC":          {"It stands for none.", "L2Attachment", `{podName: p, network: {name: net}, macAddress: "00:00:00:00:00:00"}`, "", "macAddress may not be"},
		"BroadcastMAC":     {"It is everybody's.", "L2Attachment", `{podName: p, network: {name: net}, macAddress: "ff:ff:ff:ff:ff:ff"}`, "", "macAddress"},
		"MulticastAddress": {"It is a group's.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["224.0.0.5/4"]}`, "", "no host's"},
		"LoopbackAddress":  {"It never leaves a host.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["127.0.0.1/8"]}`, "", "no host's"},
		"NoAddress":        {"It is none.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["0.0.0.0/0"]}`, "", "no host's"},
		"NoAddress6":       {"The same in IPv6.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.1/8", "::/0"]}`, "", "no host's"},
		"MappedAddress":    {"It is no IPv6 address.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["::ffff:10.0.0.1/120"]}`, "", "prefix length"},
		"ZeroHost":         {"It stands for the subnet.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.0/8"]}`, "", "zero host part"},
		"ZeroHost6":        {"It stands for the subnet.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["fd00::/64"]}`, "", "zero host part"},
		"PointToPoint":     {"Both addresses of a /31 and a /127 are hosts'.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.0/31", "fd00::/127"]}`, "", ""},
		"OneAddress":       {"A subnet of one address is a host.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.0/32", "fd00::/128"]}`, "", ""},
		"LinkLocalAddress": {"A pod may choose one.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["fe80::1/64"]}`, "", ""},
		"NoAddressesYet":   {"An empty list is none, and is assigned.", "L2Attachment", `{podName: p, network: {name: net}, addresses: []}`, `{podName: p, network: {name: net}, addresses: ["10.0.0.1/24"]}`, ""},
		"NoAddressesGone":  {"An empty list may go.", "L2Attachment", `{podName: p, network: {name: net}, addresses: []}`, `{podName: p, network: {name: net}}`, ""},
		"AddressesEmptied": {"Addresses stay.", "L2Attachment", `{podName: p, network: {name: net}, addresses: ["10.0.0.1/24"]}`, `{podName: p, network: {name: net}, addresses: []}`, "addresses are set once"},
		"LongUID":          {"A UID has 36 characters.", "L2Attachment", `{podName: p, podUID: ` + strings.Repeat("x", 65) + `, network: {name: net}}`, "", "podUID"},
		"NetworkName":      {"What can name no L2Network.", "L2Attachment", `{podName: p, network: {name: "../net"}}`, "", "network.name"},
		"NetworkNamespace": {"What can name no namespace.", "L2Attachment", `{podName: p, network: {name: net, namespace: "a.b"}}`, "", "network.namespace"},
		"PodName":          {"What can name no pod.", "L2Attachment", `{podName: "p/q", network: {name: net}}`, "", "podName"},
	})
}

// validation is a reason, a kind, a spec of it, another that follows it, if any, and what
// the API server says then: nothing where it takes it.
type validation [5]string

func validate(t *testing.T, c client.Client, cases map[string]validation) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			reason, kind, spec, then, says := tc[0], tc[1], tc[2], tc[3], tc[4]
			u := object(t, kind, strings.ToLower(name), spec)
			err := c.Create(t.Context(), u)
			if then != "" {
				if err != nil {
					t.Fatalf("%s\ncreate: %v", reason, err)
				}
				changed := object(t, kind, strings.ToLower(name), then)
				changed.SetResourceVersion(u.GetResourceVersion())
				err = c.Update(t.Context(), changed)
			}
			if says == "" && err != nil {
				t.Errorf("%s\nrefused: %v", reason, err)
			}
			if says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
				t.Errorf("%s\nwant an error that says %q, got %v", reason, says, err)
			}
			if err != nil && strings.Contains(err.Error(), "no such") {
				t.Errorf("%s\na rule fell over: %v", reason, err)
			}
		})
	}
}

// The columns that kubectl get prints, and the defaults that a user reads back.
func TestDefaultsAndSelectableFields(t *testing.T) {
	c, _ := server(t)
	if err := c.Create(t.Context(), object(t, "L2Network", "plain", `{}`)); err != nil {
		t.Fatal(err)
	}
	var n v1alpha1.L2Network
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "plain"}, &n); err != nil {
		t.Fatal(err)
	}
	if n.Spec.Type != v1alpha1.VNet || n.Spec.AllowedNamespaces.From != v1alpha1.NamespacesFromSame || n.Spec.AllowedNamespaces.MaxAttachments != 256 {
		t.Errorf("want defaults vnet, Same and 256, got %+v", n.Spec)
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
