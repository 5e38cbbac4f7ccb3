//go:build integration

package zone_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/audit"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/ovn"
)

// served is what an agent's inventory would tell of the zone.
func (n *node) served(read func(context.Context) (*inventory.Zone, error)) (inventory.Node, error) {
	all := inventory.Node{}
	handler := inventory.Handler(func(ctx context.Context) (inventory.Node, error) {
		zone, err := read(ctx)
		return inventory.Node{Node: n.Name, Zone: zone}, err
	})
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(n.world.t.Context(), http.MethodGet, inventory.Path, http.NoBody))
	if answer.Code != http.StatusOK {
		return all, fmt.Errorf("%d: %s", answer.Code, answer.Body)
	}
	return all, json.Unmarshal(answer.Body.Bytes(), &all)
}

// rows reads the databases without a writer.
func (n *node) rows(ctx context.Context) (*inventory.Zone, error) {
	northbound, err := ovn.ReadNorthbound(ctx, ovn.Config{Endpoints: []string{n.Northbound()}})
	if err != nil {
		return nil, err
	}
	southbound, err := ovn.ReadSouthbound(ctx, ovn.Config{Endpoints: []string{n.Southbound()}})
	return &inventory.Zone{Northbound: northbound, Southbound: southbound}, err
}

// audited is what audit finds in the databases and of keys, as lines. Pods and what agents
// plug for them are not there.
func (w *world) audited(read func(*node) func(context.Context) (*inventory.Zone, error)) string {
	w.t.Helper()
	networks, attachments, l2nodes := &v1alpha1.L2NetworkList{}, &v1alpha1.L2AttachmentList{}, &v1alpha1.L2NodeList{}
	for _, list := range []client.ObjectList{networks, attachments, l2nodes} {
		if err := w.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
			w.t.Fatal(err)
		}
	}
	f := audit.Facts{
		Fabric: v1alpha1.FabricZones, MaxMTU: 1442, Agents: map[string]inventory.Node{}, Pods: []corev1.Pod{},
		Networks: networks.Items, Attachments: attachments.Items, L2Nodes: l2nodes.Items,
	}
	for name, n := range w.zones {
		var err error
		if f.Agents[name], err = n.served(read(n)); err != nil {
			return err.Error()
		}
	}
	var lines []string
	for _, d := range audit.Check(f) {
		if strings.Contains(d.Where, "bound ") || strings.Contains(d.Where, "tunnel key") {
			lines = append(lines, d.Where+": "+d.What)
		}
	}
	return strings.Join(lines, "\n")
}

// What the writers make of the API is what audit wants, and audit finds what is not. The
// writers would mend it at once, so they are stopped before.
func TestAudit(t *testing.T) {
	w := start(t, "node-a", "node-b")
	for _, n := range w.zones {
		n.Ctl("set", "Open_vSwitch", ".", "external_ids:ovn-cms-options="+ovn.ChassisMark) // as ovn-node does
	}
	one, two := w.network("one"), w.network("two", func(s *v1alpha1.L2NetworkSpec) { s.IPAM.DHCP = true })
	a, b := w.attach(one, "node-a", 1).plug(), w.attach(one, "node-b", 2).plug()
	w.attach(two, "node-a", 3).plug()
	w.reaches(a, b)
	g, n := gomega.NewWithT(t), w.zones["node-a"]
	byWriter := func(n *node) func(context.Context) (*inventory.Zone, error) { return n.writer.Inventory }
	g.Eventually(func() string { return w.audited(byWriter) }, patience, "100ms").Should(gomega.BeEmpty(), "nothing is wrong")

	for _, n := range w.zones {
		n.stop()
	}
	g.Expect(w.audited(byWriter)).To(gomega.ContainSubstring("503"), "an agent that has no connection to its databases says so")

	direct := func(n *node) func(context.Context) (*inventory.Zone, error) { return n.rows }
	at := "node node-a, "
	sw, other := "l2sm/"+w.namespace+"/one", "l2sm/"+w.namespace+"/two"
	stray := "l2sm/" + w.namespace + "/stray"
	set := func(table, row string, columns ...string) func() {
		return func() { n.NB(append([]string{"set", table, row}, columns...)...) }
	}
	cases := []struct {
		name, reason string
		spoil, mend  func()
		want         []string
	}{
		{
			"SwitchKey", "its frames are another network's",
			set("Logical_Switch", sw, "other_config:requested-tnl-key=7"), set("Logical_Switch", sw, fmt.Sprintf("other_config:requested-tnl-key=%d", one.Status.TunnelKey)),
			[]string{
				at + "northbound switch " + sw + `: its tunnel key is "7", want "`,
				at + "southbound switch " + sw + `: its tunnel key is "7", want "`,
			},
		},
		{
			"PortKey", "its frames are another port's",
			set("Logical_Switch_Port", b.PortName(), "options:requested-tnl-key=77"),
			set("Logical_Switch_Port", b.PortName(), fmt.Sprintf("options:requested-tnl-key=%d", b.Status.TunnelKey)),
			[]string{
				at + "northbound port " + b.PortName() + `: its tunnel key is "77", want "`,
				at + "southbound port binding " + b.PortName() + `: its tunnel key is "77", want "`,
			},
		},
		{
			"Addresses", "OVN answers for another address",
			set("Logical_Switch_Port", b.PortName(), `addresses="0a:58:0a:00:00:99"`),
			set("Logical_Switch_Port", b.PortName(), fmt.Sprintf(`addresses="%s %s %s"`, b.mac, b.v4, b.v6)),
			[]string{at + "northbound port " + b.PortName() + ": addresses is"},
		},
		{
			"Security", "the pod speaks as another",
			func() { n.NB("clear", "Logical_Switch_Port", a.PortName(), "port_security") },
			set("Logical_Switch_Port", a.PortName(), fmt.Sprintf(`port_security="%s %s/24 %s/64"`, a.mac, a.v4, a.v6)),
			[]string{at + "northbound port " + a.PortName() + ": port_security is []"},
		},
		{
			"OtherChassis", "frames for the other node's port stay here",
			set("Logical_Switch_Port", b.PortName(), "options:requested-chassis=node-a"),
			set("Logical_Switch_Port", b.PortName(), "options:requested-chassis=node-b"),
			[]string{
				at + "northbound port " + b.PortName() + ": options are map[requested-chassis:node-a], want map[requested-chassis:node-b]",
				at + "southbound port binding " + b.PortName() + `: its chassis is `,
			},
		},
		{
			"Surplus", "a network that has no member here",
			func() { n.NB("ls-add", stray, "--", "lsp-add", stray, stray) }, func() { n.NB("ls-del", stray) },
			[]string{
				at + "northbound switch " + stray + ": belongs to no L2Network with a member on the node",
				at + "northbound port " + stray + ": belongs to no L2Attachment of a network with a member on the node",
				at + "southbound switch " + stray + ": belongs to no L2Network with a member on the node",
				at + "southbound port binding " + stray + ": belongs to no L2Attachment of a network with a member on the node",
			},
		},
		{
			"KeysOfNetworks", "two networks of one key",
			func() { two.Status.TunnelKey = one.Status.TunnelKey; w.status(two) }, func() { two.Status.TunnelKey = networkKeys; w.status(two) },
			[]string{fmt.Sprintf("tunnel key %d of networks: is held by %s/one and %s/two", one.Status.TunnelKey, w.namespace, w.namespace)},
		},
		// What can't be mended by hand.
		{
			"RemoteChassis", "no tunnel leads to the other node",
			func() { n.SB("chassis-del", "node-b") }, nil,
			[]string{at + "southbound remote chassis node-b: is missing"},
		},
		{
			"PortMissing", "nothing is sent to the other node's port",
			func() { n.NB("lsp-del", b.PortName()) }, nil,
			[]string{
				at + "northbound port " + b.PortName() + ": is missing",
				at + "southbound port binding " + b.PortName() + ": is missing",
			},
		},
		{
			"SwitchMissing", "nor anything at all",
			func() { n.NB("ls-del", other) }, nil,
			[]string{
				at + "northbound switch " + other + ": is missing",
				at + "southbound switch " + other + ": is missing",
			},
		},
	}
	found := func() string { return w.audited(direct) }
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			tc.spoil()
			for _, line := range tc.want {
				g.Eventually(found, patience, "100ms").Should(gomega.ContainSubstring(line), tc.reason)
			}
			if tc.mend != nil {
				tc.mend()
				g.Eventually(found, patience, "100ms").Should(gomega.BeEmpty(), "it is mended")
			}
		})
	}
}
