//go:build integration

package ovs_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// start returns a client and returns when it is connected.
func start(t *testing.T, endpoint string, onChange func(ovs.Port)) *ovs.Client {
	t.Helper()
	c, err := ovs.New(endpoint, testr.NewWithOptions(t, testr.Options{Verbosity: 1}), onChange)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := c.Start(ctx); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return c
}

func connect(t *testing.T, endpoint string) *ovs.Client {
	t.Helper()
	c := start(t, endpoint, func(ovs.Port) {})
	gomega.NewWithT(t).Eventually(func() error { return c.Ready(t.Context()) }, nstest.Patience(10*time.Second), "10ms").Should(gomega.Succeed())
	return c
}

// port is a port with its device.
func port(t *testing.T, container string, n int) ovs.Port {
	t.Helper()
	p := describe(container, n)
	makeDevice(t, p)
	return p
}

func describe(container string, n int) ovs.Port {
	iface := fmt.Sprintf("net%d", n)
	return ovs.Port{
		Name:        link.HostName(container, iface),
		LogicalPort: fmt.Sprintf("l2sm/default/ping-%s", iface),
		MAC:         fmt.Sprintf("0a:58:0a:65:02:%02x", n),
		Interface:   iface,
		Attachment:  fmt.Sprintf("00000000-0000-4000-8000-%012d", n),
		Sandbox: ovs.Sandbox{
			Container: container, IfName: "net1", Config: "l2sm", Netns: "/run/netns/cni-1",
			PodNamespace: "default", PodName: "ping", PodUID: "4f2a9c1e-0000-4000-8000-000000000000",
		},
	}
}

func makeDevice(t *testing.T, p ovs.Port) {
	t.Helper()
	links := link.New("/proc/sys")
	mac, err := net.ParseMAC(p.MAC)
	if err != nil {
		t.Fatal(err)
	}
	host := link.HostEnd{Name: p.Name, Owner: link.Owner{Container: p.Sandbox.Container, IfName: "net1", Config: "l2sm"}}
	if err := links.Create(host, nstest.NewNS(t), link.Interface{Name: p.Interface, MAC: mac, MTU: 1400}, ovstest.HostEnds()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := links.Delete(p.Name); err != nil {
			t.Error(err)
		}
	})
}

func change(t *testing.T, c *ovs.Client, add []ovs.Port, remove ...string) {
	t.Helper()
	if err := c.Change(t.Context(), add, remove); err != nil {
		t.Fatalf("Change: %v", err)
	}
}

func ports(t *testing.T, c *ovs.Client) []ovs.Port {
	t.Helper()
	all, err := c.Ports(t.Context())
	if err != nil {
		t.Fatalf("Ports: %v", err)
	}
	slices.SortFunc(all, func(a, b ovs.Port) int { return strings.Compare(a.Interface, b.Interface) })
	return all
}

func TestChange(t *testing.T) {
	o := ovstest.Start(t)
	c := connect(t, o.Endpoint())
	foreign := describe("somebody-elses", 9).Name
	o.Ctl("add-port", "br-int", foreign, "--", "set", "interface", foreign, "type=internal")

	first, second := port(t, "c1", 1), port(t, "c1", 2)
	change(t, c, []ovs.Port{first, second})
	if diff := cmp.Diff([]ovs.Port{first, second}, ports(t, c)); diff != "" {
		t.Errorf("every word of a port must survive the database, and foreign ports are not ours (-want +got):\n%s", diff)
	}
	for key, want := range map[string]string{"iface-id": first.LogicalPort, "iface-id-ver": first.Sandbox.PodUID, "attached-mac": first.MAC} {
		got := o.Ctl("get", "interface", first.Name, "external_ids:"+key)
		if strings.Trim(got, `"`) != want {
			t.Errorf("external_ids:%s is %s, which ovn-controller wants to be %q", key, got, want)
		}
	}

	// The pod's sandbox is made again: one transaction replaces its port.
	again := port(t, "c2", 1)
	change(t, c, []ovs.Port{again}, first.Name)
	if diff := cmp.Diff([]ovs.Port{again, second}, ports(t, c)); diff != "" {
		t.Errorf("one sandbox's port takes the place of another's (-want +got):\n%s", diff)
	}

	change(t, c, nil, again.Name, second.Name, "never-was")
	if left := ports(t, c); len(left) > 0 {
		t.Errorf("removed ports are left: %v", left)
	}
	if diff := cmp.Diff([]string{foreign}, o.Ports()); diff != "" {
		t.Errorf("a stranger's port must stay (-want +got):\n%s", diff)
	}
}

func TestChangeForACallerWhoIsGone(t *testing.T) {
	o := ovstest.Start(t)
	c := connect(t, o.Endpoint())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Change(ctx, []ovs.Port{port(t, "c1", 1)}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Change for a caller who is gone = %v, want context.Canceled", err)
	}
	if left := o.Ports(); len(left) > 0 {
		t.Errorf("Change for a caller who is gone made %v", left)
	}
}

func TestChangeWithoutBridge(t *testing.T) {
	o := ovstest.Start(t)
	c := connect(t, o.Endpoint())
	o.Ctl("del-br", "br-int")
	err := c.Change(t.Context(), []ovs.Port{port(t, "c1", 1)}, nil)
	if !errors.Is(err, ovs.ErrNoBridge) {
		t.Errorf("Change = %v, want ErrNoBridge: nothing may be left that only looks plugged", err)
	}
	gomega.NewWithT(t).Eventually(func() error { return c.Ready(t.Context()) }, nstest.Patience(5*time.Second), "10ms").Should(gomega.MatchError(ovs.ErrNoBridge))
}

func TestUserspaceAndEncapIPs(t *testing.T) {
	o := ovstest.Start(t)
	c := connect(t, o.Endpoint())
	is := ovstest.Datapath() == ovstest.Userspace
	if userspace, err := c.Userspace(t.Context()); err != nil || userspace != is {
		t.Errorf("Userspace() = %v, %v: the bridge's datapath_type is %s", userspace, err, ovstest.Datapath())
	}
	if ips, err := c.EncapIPs(t.Context()); err != nil || len(ips) > 0 {
		t.Errorf("EncapIPs() = %v, %v before it is set, want none", ips, err)
	}
	other := map[bool]string{true: ovstest.Kernel, false: ovstest.Userspace}[is]
	o.Ctl("--no-wait", "set", "Open_vSwitch", ".", "external_ids:ovn-encap-ip=\"192.0.2.1,2001:db8::1\"", "--", "set", "bridge", "br-int", "datapath_type="+other)
	gomega.NewWithT(t).Eventually(func() (bool, error) { return c.Userspace(t.Context()) }, nstest.Patience(5*time.Second), "10ms").ShouldNot(gomega.Equal(is))
	if ips, err := c.EncapIPs(t.Context()); err != nil || !slices.Equal(ips, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}) {
		t.Errorf("EncapIPs() = %v, %v, want 192.0.2.1 and 2001:db8::1", ips, err)
	}
}

func TestWaitInstalled(t *testing.T) {
	o := ovstest.StartOVN(t)
	c := connect(t, o.Endpoint())
	first, second := port(t, "c1", 1), port(t, "c1", 2)
	for _, p := range []ovs.Port{first, second} {
		o.AddPort("l2sm/default/net", p.LogicalPort, p.MAC)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	change(t, c, []ovs.Port{first, second})
	if err := c.WaitInstalled(ctx, first.Name, second.Name); err != nil {
		t.Fatalf("WaitInstalled: %v", err)
	}
	if err := c.WaitInstalled(ctx, first.Name); err != nil {
		t.Errorf("WaitInstalled of what is installed already: %v", err)
	}

	again := port(t, "c2", 1)
	change(t, c, []ovs.Port{again}, first.Name)
	if err := c.WaitInstalled(ctx, again.Name); err != nil {
		t.Errorf("WaitInstalled of the logical port's next sandbox: %v", err)
	}
}

func TestWaitInstalledFails(t *testing.T) {
	o := ovstest.StartOVN(t)
	c := connect(t, o.Endpoint())
	t.Run("NoLogicalPort", func(t *testing.T) {
		p := port(t, "c1", 1)
		change(t, c, []ovs.Port{p})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := c.WaitInstalled(ctx, p.Name)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), p.Name) {
			t.Errorf("WaitInstalled = %v, want the deadline and the port's name", err)
		}
	})
	t.Run("NoDevice", func(t *testing.T) {
		p := describe("c3", 3)
		change(t, c, []ovs.Port{p})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err := c.WaitInstalled(ctx, p.Name)
		if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), p.Name) {
			t.Errorf("WaitInstalled = %v, want at once what ovs-vswitchd says of %q", err, p.Name)
		}
	})
}

func TestSettle(t *testing.T) {
	o := ovstest.Start(t)
	c := connect(t, o.Endpoint())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p := port(t, "c1", 1)
	change(t, c, []ovs.Port{p})
	if err := c.Settle(ctx); err != nil {
		t.Fatalf("Settle: %v", err)
	}
	if ofport := o.Ctl("get", "interface", p.Name, "ofport"); ofport == "[]" {
		t.Error("Settle returned before ovs-vswitchd opened the port")
	}
	o.StopVswitchd()
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Settle without ovs-vswitchd = %v, want the deadline", err)
	}
}

func TestReconnect(t *testing.T) {
	g := gomega.NewWithT(t)
	o := ovstest.Start(t)
	var mu sync.Mutex
	var told []string
	c := start(t, o.Endpoint(), func(p ovs.Port) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, p.Name)
	})
	tell := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(told)
	}
	g.Eventually(func() error { return c.Ready(t.Context()) }, nstest.Patience(10*time.Second), "10ms").Should(gomega.Succeed())
	p := port(t, "c1", 1)
	change(t, c, []ovs.Port{p})
	g.Eventually(tell, nstest.Patience(5*time.Second), "10ms").Should(gomega.ContainElement(p.Name))

	o.StopServer()
	g.Eventually(func() error { return c.Ready(t.Context()) }, nstest.Patience(5*time.Second), "10ms").Should(gomega.MatchError(ovs.ErrNotConnected))
	if _, err := c.Ports(t.Context()); !errors.Is(err, ovs.ErrNotConnected) {
		t.Errorf("Ports without a connection = %v: it must not say that there are none", err)
	}
	if err := c.Change(t.Context(), []ovs.Port{p}, nil); !errors.Is(err, ovs.ErrNotConnected) {
		t.Errorf("Change without a connection = %v, want ErrNotConnected at once", err)
	}
	waited := make(chan error)
	go func() { waited <- c.WaitInstalled(t.Context(), p.Name) }()

	mu.Lock()
	told = nil
	mu.Unlock()
	o.StartServer()
	g.Eventually(func() error { return c.Ready(t.Context()) }, nstest.Patience(10*time.Second), "10ms").Should(gomega.Succeed())
	g.Eventually(tell, nstest.Patience(5*time.Second), "10ms").Should(gomega.ContainElement(p.Name), "after a reconnect every port is told of")
	if diff := cmp.Diff([]ovs.Port{p}, ports(t, c)); diff != "" {
		t.Errorf("ports after a reconnect (-want +got):\n%s", diff)
	}
	o.Ctl("set", "interface", p.Name, "external_ids:ovn-installed=true")
	if err := <-waited; err != nil {
		t.Errorf("WaitInstalled through a lost connection: %v", err)
	}
}
