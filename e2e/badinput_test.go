//go:build e2e || conformance

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// expect says that a text names everything that its reader needs.
func (s *scenario) expect(got string, words ...string) {
	s.Helper()
	for _, w := range words {
		if !strings.Contains(got, w) {
			s.Errorf("want a message with %q, got:\n%s", w, got)
		}
	}
}

func TestBadNetworksAreRefusedByTheAPI(t *testing.T) {
	s := newScenario(t)
	for spec, says := range map[string]string{
		`{ipam: {subnets: ["10.0.0.0"]}}`:                                     "CIDR notation",
		`{ipam: {subnets: ["10.0.0.1/24"]}}`:                                  "network address",
		`{ipam: {subnets: ["10.0.0.0/24", "10.1.0.0/24"]}}`:                   "one IPv4 and one IPv6",
		`{ipam: {subnets: []}}`:                                               "at least 1",
		`{ipam: {subnets: ["10.0.0.0/24"], ranges: ["10.1.0.0/28"]}}`:         "inside one of subnets",
		`{ipam: {subnets: ["10.0.0.0/24"], ranges: ["ten"]}}`:                 "first-last",
		`{ipam: {subnets: ["10.0.0.0/24"], excluded: ["10.0.1.1-10.0.1.9"]}}`: "inside one of subnets",
		`{ipam: {subnets: ["224.0.0.0/4"]}}`:                                  "multicast",
		`{ipam: {subnets: ["127.0.0.0/8"]}}`:                                  "loopback",
		`{ipam: {subnets: ["0.0.0.0/0"]}}`:                                    "0.0.0.0/8",
		`{ipam: {subnets: ["fe80::/64"]}}`:                                    "link-local",
		`{mtu: 20}`:                                                           "greater than or equal to 68",
		`{mtu: 1000, ipam: {subnets: ["fd00::/64"]}}`:                         "at least 1280",
		`{type: ring}`:                          "vnet",
		`{portSecurity: None}`:                  "Strict",
		`{allowedNamespaces: {from: Selector}}`: "selector goes with",
	} {
		s.expect(s.refused(networkSpec("bad", spec)), says)
	}
	s.apply(network("net", "10.0.0.0/24"))
	s.expect(s.refused(network("net", "10.1.0.0/24")), "subnets cannot be changed")
	s.expect(s.refused(networkSpec("net", `{type: vlink, ipam: {subnets: ["10.0.0.0/24"]}}`)), "type cannot be changed")
	s.expect(s.refused(network("net")), "neither added nor removed")
}

func TestMTUTooLargeForTheUnderlay(t *testing.T) {
	s := newScenario(t)
	s.apply(networkSpec("jumbo", "{mtu: 9000}"))
	s.says("MTUTooLarge", "get", "l2net", "jumbo", "-o", "yaml")
	s.says("carries at most", "get", "events", "--field-selector", "involvedObject.name=jumbo")
}

// Every malformed annotation is told on the pod by an event, and by the
// kubelet, which passes on the CNI plugin's error.
func TestMalformedAnnotations(t *testing.T) {
	s := newScenario(t)
	for name, bad := range map[string]struct{ annotation, says string }{
		"comma":     {"a,,b", "entry 2 is empty"},
		"name":      {"Not_A_Name", "Not_A_Name"},
		"slash":     {"a/b/c", "b/c"},
		"object":    {`{"name": "a"}`, "brackets"},
		"broken":    {`[{"name": `, "not a JSON list"},
		"field":     {`[{"name": "a", "ip": "10.0.0.1"}]`, "ip"},
		"ip":        {`[{"name": "a", "ips": ["10.0.0"]}]`, "10.0.0"},
		"mac":       {`[{"name": "a", "mac": "02:00"}]`, "02:00"},
		"security":  {`[{"name": "a", "portSecurity": "None"}]`, "Strict, MAC or Disabled"},
		"interface": {"a@eth0", "eth0"},
		"long":      {"a@sixteencharacter", "Linux takes 15"},
		"bytes":     {"a@éééééééé", "Linux takes 15"},
		"pattern":   {"a@x%d", "x%d"},
		"all":       {"a@all", "all"},
	} {
		s.apply(pod{name: name, networks: bad.annotation}.String())
		s.says(bad.says, "get", "events", "--field-selector", "involvedObject.name="+name+",reason=InvalidNetworks")
		s.says(bad.says, "get", "events", "--field-selector", "involvedObject.name="+name+",reason=FailedCreatePodSandBox")
	}
	if out := s.kubectl("get", "l2att", "-o", "name"); out != "" {
		s.Errorf("malformed annotations made attachments: %s", out)
	}
}

func TestAddressesThatCannotBeHad(t *testing.T) {
	s := newScenario(t)
	s.apply(networkSpec("net", `{ipam: {subnets: ["10.40.0.0/24"], excluded: ["10.40.0.1"]}}`), network("pure"),
		pod{name: "owner", networks: static("net", "10.40.0.10")}.String())
	s.ready("owner")
	for name, bad := range map[string]struct{ annotation, reason, says string }{
		"outside":  {static("net", "10.41.0.1"), "AddressOutOfRange", "10.41.0.1"},
		"family":   {static("net", "fd00::1"), "AddressOutOfRange", "fd00::1"},
		"excluded": {static("net", "10.40.0.1"), "AddressOutOfRange", "10.40.0.1"},
		"taken":    {static("net", "10.40.0.10"), "AddressTaken", "owner-net1-"},
		"noprefix": {static("pure", "10.0.0.1"), "Invalid", "prefix"},
	} {
		s.apply(pod{name: name, networks: bad.annotation}.String())
		s.says(bad.says, "get", "events", "--field-selector", "involvedObject.name="+name+",reason="+bad.reason)
	}
	// What holds an address up is named; when it goes, the waiting pod has it.
	s.kubectl("delete", "pod", "owner")
	s.ready("taken")
}

func TestNetworkNotAllowed(t *testing.T) {
	s := newScenario(t)
	other := &scenario{T: t, namespace: s.namespace + "-b"}
	if out, err := createNamespace(other.namespace); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(other.end)
	s.apply(network("private", "10.42.0.0/24"), networkSpec("shared", `{allowedNamespaces: {from: All}, ipam: {subnets: ["10.43.0.0/24"]}}`))
	other.apply(pod{name: "guest", networks: s.namespace + "/shared"}.String(), pod{name: "stranger", networks: s.namespace + "/private"}.String())
	other.ready("guest")
	other.says("allowedNamespaces", "get", "events", "--field-selector", "involvedObject.name=stranger,reason=NotAllowed")
}

func TestDeletingANetworkInUse(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.44.0.0/24"), pod{name: "user", networks: "net"}.String())
	s.ready("user")
	s.kubectl("delete", "l2net", "net", "--wait=false")
	s.says("1 attachment left: "+s.namespace+"/user-net1-", "get", "l2net", "net", "-o", `jsonpath={.status.conditions[?(@.type=="Deleting")].message}`)
	s.says("1 attachment left", "get", "events", "--field-selector", "involvedObject.name=net,reason=InUse")
	s.exec("user", "ip link show net1")
	s.kubectl("delete", "pod", "user")
	s.kubectl("wait", "--for=delete", "--timeout=30s", "l2net/net")
}

func TestHostNetworkPodGetsAnEvent(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.45.0.0/24"), pod{name: "host", networks: "net", hostNetwork: true}.String())
	s.ready("host")
	s.says("hostNetwork", "get", "events", "--field-selector", "involvedObject.name=host,reason=HostNetwork")
	if out := s.kubectl("get", "l2att", "-o", "name"); out != "" {
		s.Errorf("a hostNetwork pod got attachments: %s", out)
	}
}

// A user who writes an attachment's binding by hand gets nothing plugged:
// name, UID and node must match a pod of that node.
func TestForgedBinding(t *testing.T) {
	s := newScenario(t)
	n := nodes(t)[0]
	s.apply(network("net", "10.46.0.0/24"), pod{name: "victim", node: n}.String())
	s.ready("victim")
	forged := func(name, uid, node string) string {
		return fmt.Sprintf("apiVersion: l2sm.io/v1alpha1\nkind: L2Attachment\nmetadata: {name: %s}\nspec: {podName: victim, podUID: %s, nodeName: %s, network: {name: net}, interface: net1, macAddress: '02:00:00:00:00:66', addresses: ['10.46.0.66/24']}", name, uid, node)
	}
	uid := s.kubectl("get", "pod", "victim", "-o", "jsonpath={.metadata.uid}")
	s.apply(forged("other-uid", "00000000-0000-4000-8000-000000000000", n), forged("other-node", uid, nodes(t)[1]))
	for _, name := range []string{"other-uid", "other-node"} {
		s.says("BindingMismatch", "get", "l2att", name, "-o", "yaml")
	}
	for _, zone := range zones(t) {
		if err := mentions(nbctl(t, zone, "show", "l2sm/"+s.namespace+"/net"), "port"); err != nil {
			s.Errorf("a forged binding has a port: %v", err)
		}
	}
	if out := s.exec("victim", "ls /sys/class/net"); strings.Contains(out, "net1") {
		s.Errorf("a forged binding was plugged: %s", out)
	}
}
