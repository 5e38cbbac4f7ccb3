//go:build integration

package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// acls are the rules of a network's switch that are for a port, or for all.
func (w *world) acls(port string) string {
	w.t.Helper()
	return strings.TrimSpace(w.NB.Ctl("--bare", "--columns=match", "find", "ACL", fmt.Sprintf(`external_ids:"l2sm.io/port"="%s"`, port)))
}

// refresh reads the objects again.
func (w *world) refresh(g Gomega, objects ...client.Object) {
	w.t.Helper()
	for _, o := range objects {
		g.Expect(w.Get(w.t.Context(), keyOf(o), o)).To(Succeed())
	}
}

// A role is a network's to give: without it nothing is attached, and with it the
// port may send and its peers listen. What it takes back, an attached pod loses.
func TestRolesAreTheNetworks(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/24"))
	w.pod("router", `[{"name": "lab", "roles": ["Router"]}]`)
	w.pod("peer", "lab")
	refused, peers := w.refused("router", "RoleNotAllowed", "allowedRoles"), w.attached("peer", 1)
	a, peer := &refused, &peers[0]
	NewWithT(t).Expect(peer.Status.AcceptRouterAdvertisements).To(BeFalse())
	allow := func(roles ...v1alpha1.Role) {
		roles = append([]v1alpha1.Role{}, roles...) // an empty list is none; JSON has null for nil
		w.change(n, func() { n.Spec.AllowedRoles = &roles })
	}

	allow(v1alpha1.RoleRouter)
	w.reason(a, v1alpha1.ConditionAccepted, "Accepted", "")
	w.eventually(func(g Gomega) {
		g.Expect(w.acls(a.PortName())).To(ContainSubstring("134"))
		g.Expect(w.acls(peer.PortName())).To(BeEmpty())
		w.refresh(g, a, peer)
		g.Expect([]bool{a.Status.SendRouterAdvertisements, peer.Status.SendRouterAdvertisements, peer.Status.AcceptRouterAdvertisements}).To(Equal([]bool{true, false, true}))
	})

	allow()
	stays := func() {
		t.Helper()
		w.reason(a, v1alpha1.ConditionAccepted, "RoleNotAllowed", "the port keeps what it has")
		w.eventually(func(g Gomega) {
			g.Expect(w.acls(a.PortName())).To(BeEmpty())
			w.refresh(g, a, peer, n)
			g.Expect(a.Status.PortName).NotTo(BeEmpty())
			g.Expect(a.Status.SendRouterAdvertisements || peer.Status.AcceptRouterAdvertisements).To(BeFalse())
			g.Expect(n.Status.InForce.AllowedRoles).To(HaveValue(BeEmpty()))
		})
	}
	stays()
	w.restart()
	stays()
}

// A pod that floods OVN with MAC addresses is told so, and OVN learns of it no
// longer, whoever leads.
func TestFloodIsOnRecord(t *testing.T) {
	w := start(t)
	spec := subnets("10.0.0.0/24")
	spec.PortSecurity = v1alpha1.PortSecurityDisabled
	w.network("lab", spec)
	p := w.pod("bridge", "lab")
	a := &w.attached("bridge", 1)[0]
	addresses := func() string {
		return strings.TrimSpace(w.NB.Ctl("--bare", "--columns=addresses", "find", "logical_switch_port", "name="+a.Status.PortName))
	}
	NewWithT(t).Expect(addresses()).To(ContainSubstring("unknown"))
	args := []string{"--id=@d", "create", "Datapath_Binding", "tunnel_key=7", "--", "create", "Port_Binding", "datapath=@d", "logical_port=" + a.Status.PortName, "tunnel_key=1"}
	for i := range ovn.MaxLearned + 1 {
		args = append(args, "--", "create", "FDB", "dp_key=7", "port_key=1", fmt.Sprintf(`mac="02:00:00:00:%02x:%02x"`, i/256, i%256))
	}
	w.SB.Ctl(args...)

	stopped := func() {
		t.Helper()
		w.reason(a, v1alpha1.ConditionLearning, "TooManyMACs", "256")
		w.eventually(func(g Gomega) { g.Expect(addresses()).To(Equal(a.Spec.MACAddress + " 10.0.0.1")) })
	}
	stopped()
	w.told(p, "TooManyMACs", "256")
	w.eventually(func(g Gomega) { g.Expect(w.SB.Ctl("--bare", "--columns=mac", "list", "FDB")).To(BeEmpty()) })
	w.restart()
	w.consistently(func(Gomega) { stopped() })
}
