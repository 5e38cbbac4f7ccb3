//go:build integration

package zone_test

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// In the databases of an OVN-Kubernetes node the writer has switches that ovnkube leaves alone, sends to the chassis that
// ovnkube has made, and changes nothing else.
func TestBesideOVNKubernetes(t *testing.T) {
	w := start(t)
	n := &node{Zone: w.underlay.Zone("chassis-a"), world: w, fabric: v1alpha1.FabricOVNKubernetes}
	n.Name = "node-a" // its chassis has another name
	w.zones["node-a"] = n
	w.chassis("node-a", "chassis-a", n.Address)
	w.chassis("node-b", "chassis-b", "10.213.0.2")
	n.NB("--", "set", "NB_Global", ".", "name=node-a", "options:name=node-a")
	n.NB("ls-add", "node-a", "--", "set", "Logical_Switch", "node-a", "other_config:subnet=10.128.0.0/24", "--", "lsp-add", "node-a", "default_pod")
	n.SB("--id=@e", "create", "Encap", "type=geneve", "ip=10.213.0.2", "chassis_name=chassis-b", "options:csum=true",
		"--", "create", "Chassis", "name=chassis-b", "hostname=node-b", "encaps=@e", "other_config:is-remote=true")
	theirs := func() map[string]string {
		return map[string]string{
			"NB_Global": n.NB("--columns=nb_cfg,name,external_ids,options", "list", "NB_Global"),
			"Chassis":   n.SB("--columns=_uuid,name,other_config,external_ids", "find", "Chassis", "name=chassis-b"),
			"chassis":   n.SB("--bare", "--columns=name", "list", "Chassis"),
			"switch":    n.NB("list", "Logical_Switch", "node-a") + n.NB("--columns=_uuid,name", "list", "Logical_Switch_Port", "default_pod"),
			"OVS":       n.Ctl("--columns=external_ids,other_config,bridges", "list", "Open_vSwitch"),
		}
	}
	g := gomega.NewWithT(t)
	g.Eventually(func() string { return n.SB("--bare", "--columns=name", "list", "Chassis") }, patience, "20ms").Should(gomega.ContainSubstring("chassis-a"))
	before := theirs()
	n.write(0)

	one := w.network("one")
	here, there := w.attach(one, "node-a", 1), w.attach(one, "node-b", 2)
	for _, e := range []*endpoint{here, there} {
		g.Eventually(func() string {
			return n.SB("--bare", "--columns=tunnel_key", "find", "Port_Binding", fmt.Sprintf("logical_port=%q", e.PortName()), "requested_chassis!=[]")
		}, patience, "20ms").Should(gomega.Equal(fmt.Sprint(e.Status.TunnelKey)), "%s is bound to a chassis that there is", e.Name)
	}
	sw := fmt.Sprintf("l2sm/%s/one", w.namespace)
	if ids := n.NB("get", "Logical_Switch", sw, "external_ids"); !strings.Contains(ids, `"k8s.ovn.org/network"=l2sm`) || strings.Contains(ids, "k8s.ovn.org/role") {
		t.Errorf("ovnkube deletes a switch with external_ids %s, or takes it for its own", ids)
	}
	if key := n.NB("get", "Logical_Switch", sw, "other_config:requested-tnl-key"); !strings.Contains(key, fmt.Sprint(one.Status.TunnelKey)) {
		t.Errorf("the switch asks for key %s, want %d", key, one.Status.TunnelKey)
	}
	if to := n.NB("get", "Logical_Switch_Port", there.PortName(), "options:requested-chassis"); !strings.Contains(to, "chassis-b") {
		t.Errorf("the other node's port is at %s, want the chassis that its L2Node names", to)
	}
	if diff := gocmp.Diff(before, theirs()); diff != "" {
		t.Errorf("what is not ours has changed (-before +after):\n%s", diff)
	}

	for _, e := range []*endpoint{here, there} {
		if err := w.Delete(t.Context(), e.L2Attachment); err != nil {
			t.Fatal(err)
		}
	}
	g.Eventually(n.switches, patience, "20ms").Should(gomega.BeEmpty())
	if diff := gocmp.Diff(before, theirs()); diff != "" {
		t.Errorf("what is not ours has changed since the network left (-before +after):\n%s", diff)
	}
}

// chassis has a node's L2Node say by which name OVN knows it.
func (w *world) chassis(node, name, address string) {
	w.t.Helper()
	w.tunnels(node, address)
	l2node := &v1alpha1.L2Node{}
	l2node.Name = node
	l2node.Status = v1alpha1.L2NodeStatus{Chassis: name, TunnelAddresses: []string{address}}
	w.status(l2node)
}
