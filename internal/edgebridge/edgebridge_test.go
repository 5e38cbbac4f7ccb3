//go:build integration

package edgebridge_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/edgebridge"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

var patience = nstest.Patience(10 * time.Second)

// heard is what a bridge has told.
type heard struct {
	mu       sync.Mutex
	tunnels  map[netip.Addr]edgebridge.Tunnel
	networks map[string]uint32
	calls    int
	synced   int
}

func (h *heard) Tunnel(endpoint netip.Addr, is edgebridge.Tunnel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	h.tunnels[endpoint] = is
	if is == (edgebridge.Tunnel{}) {
		delete(h.tunnels, endpoint)
	}
}

func (h *heard) Network(name string, port uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	h.networks[name] = port
	if port == 0 {
		delete(h.networks, name)
	}
}

func (h *heard) Synced() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.synced++
}

func (h *heard) tunnel(endpoint string) edgebridge.Tunnel {
	h.mu.Lock()
	defer h.mu.Unlock()
	if endpoint == "" {
		return h.tunnels[netip.Addr{}]
	}
	return h.tunnels[netip.MustParseAddr(endpoint)]
}

func (h *heard) ports() map[string]uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.networks)
}

func start(t *testing.T, endpoint string) (*edgebridge.Bridge, *heard) {
	t.Helper()
	h := &heard{tunnels: map[netip.Addr]edgebridge.Tunnel{}, networks: map[string]uint32{}}
	b, err := edgebridge.New(endpoint, testr.New(t), h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := b.Start(ctx); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return b, h
}

func addresses(all ...string) []netip.Addr {
	var parsed []netip.Addr
	for _, one := range all {
		parsed = append(parsed, netip.MustParseAddr(one))
	}
	return parsed
}

func want(t *testing.T, b *edgebridge.Bridge, c edgebridge.Config) {
	t.Helper()
	gomega.NewWithT(t).Eventually(func() error { return b.Want(t.Context(), c) }, patience, "10ms").Should(gomega.Succeed())
}

// remotes are the ends of the VXLAN ports that the bridge has.
func remotes(o *ovstest.OVS) string {
	var all []string
	for _, port := range strings.Fields(o.Ctl("list-ports", edgebridge.Name)) {
		if o.Ctl("get", "interface", port, "type") == "vxlan" {
			all = append(all, strings.Trim(o.Ctl("get", "interface", port, "options:remote_ip"), `"`))
		}
	}
	return strings.Join(all, " ")
}

func TestWant(t *testing.T) {
	o := ovstest.Start(t)
	b, h := start(t, o.Endpoint())
	o.Ctl("set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings=physnet1:br-ex", "external_ids:other=stays")
	local := netip.MustParseAddr("192.0.2.1")
	want(t, b, edgebridge.Config{Local: local, Peers: addresses("192.0.2.2", "192.0.2.3")})

	for column, value := range map[string]string{"fail_mode": "secure", "datapath_type": ovstest.Datapath()} {
		if got := o.Ctl("get", "bridge", edgebridge.Name, column); got != value {
			t.Errorf("%s of the bridge is %s, want %s", column, got, value)
		}
	}
	mappings := func() string {
		return strings.Trim(o.Ctl("get", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings"), `"`)
	}
	if got := mappings(); got != "physnet1:br-ex,l2sm-edge:br-edge" {
		t.Errorf("ovn-bridge-mappings is %q", got)
	}
	g := gomega.NewWithT(t)
	g.Eventually(func() bool { return h.tunnel("192.0.2.2").Port != 0 && h.tunnel("192.0.2.3").Port != 0 }, patience, "10ms").Should(gomega.BeTrue(), "numbers of both ports are told")
	if is := h.tunnel("192.0.2.2"); is.Error != "" || is.BFD.Forwarding {
		t.Errorf("a port to a peer that is not there is %+v", is)
	}

	was := h.tunnel("192.0.2.3").Port
	want(t, b, edgebridge.Config{Local: local, Peers: addresses("192.0.2.3", "192.0.2.4"), Fabric: true})
	g.Eventually(func() string { return remotes(o) }, patience, "10ms").Should(gomega.And(
		gomega.ContainSubstring("192.0.2.3"), gomega.ContainSubstring("192.0.2.4"), gomega.ContainSubstring("flow"), gomega.Not(gomega.ContainSubstring("192.0.2.2"))))
	g.Eventually(func() bool { return h.tunnel("").Port != 0 && h.tunnel("192.0.2.2").Port == 0 }, patience, "10ms").Should(gomega.BeTrue(), "the shared port is told, the one that went as well")
	if is := h.tunnel("192.0.2.3").Port; is != was {
		t.Errorf("a port that stayed had number %d and has %d", was, is)
	}

	// What others undo is brought back.
	o.Ctl("set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings=physnet2:br-b")
	g.Eventually(mappings, patience, "10ms").Should(gomega.Equal("physnet2:br-b,l2sm-edge:br-edge"))
	o.Ctl("del-br", edgebridge.Name)
	g.Eventually(func() string { return o.Ctl("list-br") }, patience, "10ms").Should(gomega.ContainSubstring(edgebridge.Name))
	g.Eventually(func() bool { return h.tunnel("192.0.2.4").Port != 0 }, patience, "10ms").Should(gomega.BeTrue())

	// ovs-vswitchd may give other numbers when it starts again.
	o.StopVswitchd()
	o.StartVswitchd()
	if err := b.Want(t.Context(), edgebridge.Config{Local: local, Peers: addresses("192.0.2.4", "192.0.2.5")}); err != nil {
		t.Fatal(err)
	}
	number := func(endpoint string) string {
		return o.Ctl("--bare", "--columns=ofport", "find", "interface", `options:remote_ip="`+endpoint+`"`)
	}
	g.Eventually(func() bool {
		return h.tunnel("192.0.2.5").Port != 0 && fmt.Sprint(h.tunnel("192.0.2.5").Port) == number("192.0.2.5") &&
			fmt.Sprint(h.tunnel("192.0.2.4").Port) == number("192.0.2.4")
	}, patience, "10ms").Should(gomega.BeTrue())

	if err := b.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mappings(); got != "physnet2:br-b" {
		t.Errorf("ovn-bridge-mappings is %q after Remove: another's mapping stays", got)
	}
	if got := o.Ctl("list-br"); got != "br-int" {
		t.Errorf("bridges after Remove are %q", got)
	}
	if got := o.Ctl("get", "Open_vSwitch", ".", "external_ids:other"); got != "stays" {
		t.Errorf("another's key is %s", got)
	}
	g.Eventually(func() edgebridge.Tunnel { return h.tunnel("192.0.2.4") }, patience, "10ms").Should(gomega.BeZero())
	if err := b.Remove(t.Context()); err != nil {
		t.Errorf("Remove of what is gone: %v", err)
	}
}

// Where the datapath is the kernel's, the same bridge does: who wants it decides.
func TestOutlet(t *testing.T) {
	o := ovstest.Start(t)
	b, _ := start(t, o.Endpoint())
	config := edgebridge.Config{Local: netip.MustParseAddr("fd00::1"), Peers: addresses("fd00::2")}
	want(t, b, config)
	if is, err := b.Userspace(t.Context()); err != nil || is != (ovstest.Datapath() == "netdev") {
		t.Errorf("Userspace = %v, %v with datapath %s", is, err, ovstest.Datapath())
	}
	const mac = "02:00:00:00:00:77"
	config.Outlet = &edgebridge.Outlet{Bridge: "br-out", Port: "out0", MAC: mac}
	want(t, b, config)
	if got := o.Ctl("list-ports", "br-out"); got != "out0" {
		t.Errorf("the outlet's ports are %q", got)
	}
	if got := o.Ctl("get", "bridge", "br-out", "other_config:hwaddr", "datapath_type", "fail_mode"); got != `"`+mac+"\"\n"+ovstest.Datapath()+"\nstandalone" {
		t.Errorf("the outlet is %q", got)
	}
	g := gomega.NewWithT(t)
	// What others undo is brought back.
	o.Ctl("del-port", "br-out", "out0")
	want(t, b, config)
	if got := o.Ctl("list-ports", "br-out"); got != "out0" {
		t.Errorf("the outlet's ports are %q after one was taken", got)
	}
	o.Ctl("del-br", "br-out")
	g.Eventually(func() string { return o.Ctl("list-br") }, patience, "10ms").Should(gomega.ContainSubstring("br-out"))

	config.Outlet = nil
	want(t, b, config)
	if got := o.Ctl("list-br"); strings.Contains(got, "br-out") {
		t.Errorf("bridges without an outlet are %q", got)
	}
	config.Outlet = &edgebridge.Outlet{Bridge: "br-out", Port: "out0", MAC: mac}
	want(t, b, config)
	if err := b.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.Ctl("list-br"); got != "br-int" {
		t.Errorf("bridges after Remove are %q", got)
	}
}

func TestRemoveOfTheOnlyMapping(t *testing.T) {
	o := ovstest.Start(t)
	b, _ := start(t, o.Endpoint())
	want(t, b, edgebridge.Config{Local: netip.MustParseAddr("2001:db8::1"), Peers: addresses("2001:db8::2")})
	if err := b.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.Ctl("get", "Open_vSwitch", ".", "external_ids"); got != "{}" {
		t.Errorf("external_ids after Remove are %s", got)
	}
}

func TestWantBeforeTheIntegrationBridge(t *testing.T) {
	o := ovstest.Start(t)
	o.Ctl("del-br", "br-int")
	b, h := start(t, o.Endpoint())
	config := edgebridge.Config{Local: netip.MustParseAddr("192.0.2.1"), Peers: addresses("192.0.2.2")}
	g := gomega.NewWithT(t)
	g.Eventually(func() error { return b.Want(t.Context(), config) }, patience, "10ms").Should(gomega.MatchError(ovs.ErrNoBridge))
	o.AddBridge()
	g.Eventually(func() bool { return h.tunnel("192.0.2.2").Port != 0 }, patience, "10ms").Should(gomega.BeTrue(), "what is wanted is done once there is a datapath")
	if err := b.Want(t.Context(), edgebridge.Config{}); err == nil || errors.Is(err, ovs.ErrNoBridge) {
		t.Errorf("Want without an address = %v", err)
	}
}

func TestNetworks(t *testing.T) {
	o := ovstest.Start(t)
	b, h := start(t, o.Endpoint())
	want(t, b, edgebridge.Config{Local: netip.MustParseAddr("192.0.2.1")})
	patch := func(network string) {
		t.Helper()
		name := "patch-l2sm/" + network + "/edge-to-br-int"
		o.Ctl("--may-exist", "add-port", edgebridge.Name, name, "--", "set", "interface", name, "type=patch", "options:peer=p-"+network,
			"--", "--may-exist", "add-port", "br-int", "p-"+network, "--", "set", "interface", "p-"+network, "type=patch", "options:peer="+name)
	}
	g := gomega.NewWithT(t)
	patch("a/red")
	patch("a/blue")
	g.Eventually(h.ports, patience, "10ms").Should(gomega.And(gomega.HaveKey("a/red"), gomega.HaveKey("a/blue")))
	red := h.ports()["a/red"]
	number := func(network string) string {
		return o.Ctl("get", "interface", "patch-l2sm/"+network+"/edge-to-br-int", "ofport")
	}
	if got := fmt.Sprint(red); got != number("a/red") {
		t.Errorf("the port's number was told as %s, and is %s", got, number("a/red"))
	}

	// The binding goes to another edge, and comes back.
	o.Ctl("del-port", edgebridge.Name, "patch-l2sm/a/red/edge-to-br-int")
	g.Eventually(h.ports, patience, "10ms").ShouldNot(gomega.HaveKey("a/red"))
	patch("a/green")
	patch("a/red")
	g.Eventually(func() uint32 { return h.ports()["a/red"] }, patience, "10ms").ShouldNot(gomega.Or(gomega.BeZero(), gomega.Equal(red)), "a port that is made again has another number")

	// What changed while nobody listened is told, and nothing else.
	h.mu.Lock()
	calls := h.calls
	h.mu.Unlock()
	o.LosePort("patch-l2sm/a/green/edge-to-br-int")
	g.Eventually(func() int { h.mu.Lock(); defer h.mu.Unlock(); return h.synced }, patience, "10ms").Should(gomega.Equal(2))
	if is := h.ports(); is["a/green"] != 0 || is["a/blue"] == 0 {
		t.Errorf("networks after a new connection are %v", is)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls != calls+1 {
		t.Errorf("%d calls told of one change", h.calls-calls)
	}
}
