package ovstest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link/nstest"
)

// Central is OVN's databases and its ovn-northd, for nodes that are elsewhere. Its
// programs are those of the product's image: see Unpack.
type Central struct{ ovn *OVN }

// StartCentral starts it. It ends with the test.
func StartCentral(t testing.TB) *Central {
	t.Helper()
	unpacked(t)
	o := &OVN{OVS: &OVS{t: t, place: place{root: zoneRoot}, dir: socketDir(t)}, servers: map[string]*exec.Cmd{}}
	for _, name := range []string{"nb", "sb"} {
		o.createDatabase(name)
	}
	o.StartNorthd()
	return &Central{ovn: o}
}

// Northbound is the endpoint of the northbound database.
func (c *Central) Northbound() string { return c.ovn.Northbound() }

// Southbound is the endpoint of the southbound database.
func (c *Central) Southbound() string { return c.ovn.Southbound() }

// NB runs ovn-nbctl and returns what it prints.
func (c *Central) NB(args ...string) string {
	c.ovn.t.Helper()
	return c.ovn.NB(args...)
}

// SB runs ovn-sbctl and returns what it prints.
func (c *Central) SB(args ...string) string {
	c.ovn.t.Helper()
	return c.ovn.SB(args...)
}

// StopDatabase kills the server of a database, nb or sb. The function that it returns
// starts it again, with what is on its disk.
func (c *Central) StopDatabase(name string) (start func()) {
	kill(c.ovn.t, c.ovn.servers[name])
	if err := os.Remove(c.ovn.dir + "/" + name + ".sock"); err != nil {
		c.ovn.t.Error(err)
	}
	return func() { c.ovn.startServer(name) }
}

// StartNorthd starts ovn-northd, after StopNorthd has ended it.
func (c *Central) StartNorthd() {
	c.ovn.t.Helper()
	c.ovn.StartNorthd()
}

// StopNorthd kills ovn-northd.
func (c *Central) StopNorthd() { c.ovn.StopNorthd() }

// Chassis is one node of an OVN whose databases are elsewhere, in a network namespace.
type Chassis struct {
	*OVS
	// Name is that of its chassis, Address its tunnels'.
	Name, Address string
	// NetNS is the path of its network namespace.
	NetNS      string
	controller *exec.Cmd
	arguments  []string // of ovn-controller
}

// Chassis starts a node of the central databases, whose tunnels cross the segment. It ends
// with the test.
func (s *Segment) Chassis(name string, of *Central) *Chassis {
	s.t.Helper()
	return s.ChassisOf(name, zoneRoot, nil, "external_ids:ovn-remote="+of.Southbound(), "external_ids:ovn-monitor-all=true")
}

// ChassisOf is Chassis of a southbound database anywhere, with arguments and settings
// of ovn-controller, and with the programs of a root: see Root.
func (s *Segment) ChassisOf(name, root string, arguments []string, settings ...string) *Chassis {
	s.t.Helper()
	c := &Chassis{Name: name, NetNS: nstest.NewNS(s.t), arguments: arguments}
	member := s.Join(c.NetNS, "eth1")
	c.Address = member.Addr.String()
	c.OVS = startEmpty(s.t, place{netns: c.NetNS, root: root})
	member.Tunnels(c.OVS, "br-tun")
	c.Ctl(append(append([]string{"--no-wait", "set", "Open_vSwitch", "."}, settingsOf(name, c.Address)...), settings...)...)
	c.StartController()
	gomega.NewWithT(s.t).Eventually(func() []string { return strings.Fields(c.Ctl("list-br")) }, nstest.Patience(20*time.Second), "50ms").Should(gomega.ContainElement("br-int"))
	return c
}

// StartController starts ovn-controller as one that has run for some time: in its first ten
// seconds it removes no patch port.
func (c *Chassis) StartController() {
	c.t.Helper()
	c.controller = c.place.daemon(c.t, c.dir, "ovn-controller", append([]string{c.Endpoint()}, c.arguments...)...)
	control := fmt.Sprintf("%s/ovn-controller.%d.ctl", c.dir, c.controller.Process.Pid)
	await(c.t, control)
	c.place.run(c.t, "ovn-appctl", "-t", control, "debug/ignore-startup-delay")
}

// StopController kills ovn-controller.
func (c *Chassis) StopController() { kill(c.t, c.controller) }

// PauseController has ovn-controller do nothing until the returned function is called.
func (c *Chassis) PauseController() (resume func()) {
	c.t.Helper()
	return pause(c.t, c.controller)
}
