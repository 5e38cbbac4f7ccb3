//go:build integration

package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/link/nstest"
)

// flooder is the environment of this program when it is a peer that announces far too
// many MAC addresses.
const flooder = "L2SM_EDGE_FLOODER"

type flood struct {
	Own, Edge string
	MACs      int
}

type nobody struct{}

func (nobody) Received(netip.Addr, evpn.Learned, bool) {}
func (nobody) Session(netip.Addr, bool, bool, string)  {}
func (nobody) End(netip.Addr)                          {}

// beFlooder announces until it is killed.
func beFlooder() int {
	var f flood
	if err := json.Unmarshal([]byte(os.Getenv(flooder)), &f); err != nil {
		panic(err)
	}
	ctx := context.Background()
	s, err := evpn.NewSpeaker(ctx, evpn.Config{Address: netip.MustParseAddr(f.Own), ASN: asn}, nobody{}, logr.Discard())
	if err != nil {
		panic(err)
	}
	peers := []string{"edge"}
	announce := func(key evpn.RouteKey) {
		if err := s.Announce(ctx, evpn.Route{RouteKey: key}, peers); err != nil {
			panic(err)
		}
	}
	announce(evpn.RouteKey{Kind: evpn.Multicast, VNI: 5001})
	for i := range f.MACs {
		announce(evpn.RouteKey{Kind: evpn.MACIP, VNI: 5001, MAC: evpn.MAC{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}})
	}
	if err := s.SetPeers(ctx, []evpn.Peer{{Name: "edge", Endpoints: []netip.Addr{netip.MustParseAddr(f.Edge)}, ASN: asn}}); err != nil {
		panic(err)
	}
	select {}
}

// announce has a stranger announce network 5001 and so many MAC addresses to an edge.
func announce(t *testing.T, from *sidestest.Stranger, to *sidestest.Node, macs int) {
	t.Helper()
	text, err := json.Marshal(flood{from.Addr.String(), to.WAN.String(), macs})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), flooder+"="+string(text))
	cmd.Stderr = os.Stderr
	nstest.Do(t, from.NetNS, cmd.Start)
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

// A peer announces ten times what it may: the rest is left out and said, another peer's
// network goes on, and OVN's southbound database learns nothing of it.
func TestPeerAnnouncesTooMuch(t *testing.T) {
	const may, announces = 1000, 10_000
	w := start(t, 1, 1)
	a, b := w.clusters[0], w.clusters[1]
	from := w.Stranger()
	a.fabric("flooder", from.Addr)
	var p v1alpha1.L2Peer
	key := client.ObjectKey{Name: "flooder"}
	if err := a.Get(t.Context(), key, &p); err != nil {
		t.Fatal(err)
	}
	p.Spec.MaxMACs = may
	if err := a.Update(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
	a.peer("b", b)
	b.peer("a", a)
	a.network("red", 5001, "flooder")
	a.network("blue", 5002, "b")
	b.network("blue", 5002, "a")
	a.bindTo(a.Edges[0])
	b.bindTo(b.Edges[0])
	pa := a.pod("blue", "pa", "0a:58:0a:32:00:01", "10.50.0.1/24")
	pb := b.pod("blue", "pb", "0a:58:0a:32:00:02", "10.50.0.2/24")
	pa.Reaches(pb)
	before := a.rows()
	stream := pa.Stream(pb.V4())

	announce(t, from, a.Edges[0], announces)
	a.eventually(func(g gomega.Gomega) {
		g.Expect(a.Get(t.Context(), key, &p)).To(gomega.Succeed())
		g.Expect(p.Status.MACs).To(gomega.BeEquivalentTo(may))
		g.Expect(p.Status.Networks).To(gomega.HaveLen(1))
		g.Expect(p.Status.Networks[0].Refused).To(gomega.BeEquivalentTo(announces - may))
		g.Expect(meta.IsStatusConditionPresentAndEqual(p.Status.Conditions, v1alpha1.ConditionTooManyMACs, metav1.ConditionTrue)).To(gomega.BeTrue())
		var remotes v1alpha1.L2RemoteList
		g.Expect(a.List(t.Context(), &remotes)).To(gomega.Succeed())
		hosts := 0
		for _, r := range remotes.Items {
			if r.Peer == "flooder" {
				hosts += len(r.Hosts)
			}
		}
		g.Expect(hosts).To(gomega.Equal(may))
	})
	lost := stream.Stop()
	t.Logf("reliability: a peer announces %d MAC addresses, of which it may have %d | another peer's network | %s", announces, may, lost)
	few(t, lost, max(3, lost.Sent/20))
	if after := a.rows(); after != before {
		t.Errorf("the southbound database had %s, and has %s", before, after)
	}
}

// rows are the sizes of the southbound tables that a peer might fill.
func (c *cluster) rows() string {
	all := ""
	for _, table := range []string{"FDB", "MAC_Binding", "Logical_Flow", "Port_Binding"} {
		all += fmt.Sprintf("%s %d ", table, len(c.SB("--bare", "--columns=_uuid", "list", table)))
	}
	return all
}
