package ovstest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link/nstest"
)

// OVN is a whole OVN of one chassis: its databases, ovn-northd and
// ovn-controller, on an OVS of its own.
type OVN struct {
	*OVS
	controller *exec.Cmd
}

// StartOVN starts them and returns when ovn-controller has made the
// integration bridge.
func StartOVN(t testing.TB) *OVN {
	t.Helper()
	need(t, "ovn-central ovn-host", "/usr/bin/ovn-northd", "/usr/bin/ovn-controller", "/usr/bin/ovn-nbctl")
	o := &OVN{OVS: startEmpty(t)}
	nb, sb := o.database("nb"), o.database("sb")
	o.NB("init")
	daemon(t, o.dir, "ovn-northd", "--ovnnb-db="+nb, "--ovnsb-db="+sb, "--unixctl="+o.dir+"/northd.ctl")
	o.configure()
	o.controller = daemon(t, o.dir, "ovn-controller", o.Endpoint())
	gomega.NewWithT(t).Eventually(func() string { return o.Ctl("list-br") }, nstest.Patience(20*time.Second), "50ms").Should(gomega.Equal("br-int"))
	return o
}

func (o *OVN) database(name string) string {
	o.t.Helper()
	file, socket := o.dir+"/"+name+".db", o.dir+"/"+name+".sock"
	run(o.t, "ovsdb-tool", "create", file, "/usr/share/ovn/ovn-"+name+".ovsschema")
	daemon(o.t, o.dir, "ovsdb-server", file, "--remote=punix:"+socket, "--unixctl="+o.dir+"/"+name+".ctl")
	await(o.t, socket)
	return "unix:" + socket
}

// PauseController has ovn-controller do nothing until the returned function is
// called.
func (o *OVN) PauseController() (resume func()) {
	o.t.Helper()
	return pause(o.t, o.controller)
}

// Version is what ovn-northd says of itself.
func (o *OVN) Version() string {
	o.t.Helper()
	return run(o.t, "ovn-northd", "--version")
}

// Northbound is the endpoint of the northbound database.
func (o *OVN) Northbound() string { return "unix:" + o.dir + "/nb.sock" }

// Southbound is the endpoint of the southbound database.
func (o *OVN) Southbound() string { return "unix:" + o.dir + "/sb.sock" }

// NB runs ovn-nbctl and returns what it prints.
func (o *OVN) NB(args ...string) string {
	o.t.Helper()
	return run(o.t, "ovn-nbctl", append([]string{"--timeout=20", "--db=" + o.Northbound()}, args...)...)
}

// SB runs ovn-sbctl and returns what it prints.
func (o *OVN) SB(args ...string) string {
	o.t.Helper()
	return run(o.t, "ovn-sbctl", append([]string{"--timeout=20", "--db=" + o.Southbound()}, args...)...)
}

// AddPort makes a logical switch port with one MAC and any addresses, on a
// switch that is made where it is missing.
func (o *OVN) AddPort(logicalSwitch, port, mac string, addresses ...string) {
	o.t.Helper()
	o.NB("--may-exist", "ls-add", logicalSwitch, "--", "--may-exist", "lsp-add", logicalSwitch, port,
		"--", "lsp-set-addresses", port, strings.Join(append([]string{mac}, addresses...), " "))
}

// Move moves a logical switch port, as it is, to another switch in one
// transaction.
func (o *OVN) Move(port, from, to string) {
	o.t.Helper()
	uuid := o.NB("--bare", "--columns=_uuid", "find", "Logical_Switch_Port", "name="+port)
	o.NB("remove", "Logical_Switch", from, "ports", uuid, "--", "add", "Logical_Switch", to, "ports", uuid)
}

// LoseDatabase replaces Open vSwitch's database by an empty one, as on a node
// that keeps it in memory and is restarted, and tells OVN's settings again. It
// returns when ovn-controller has made its bridge.
func (o *OVN) LoseDatabase() {
	o.t.Helper()
	o.StopServer()
	if err := os.Remove(o.dir + "/conf.db"); err != nil {
		o.t.Fatal(err)
	}
	run(o.t, "ovsdb-tool", "create", o.dir+"/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
	o.StartServer()
	o.Ctl("--no-wait", "init")
	o.configure()
	gomega.NewWithT(o.t).Eventually(func() string {
		// That of OVN 23.03 may crash (signal 11) when it finds the database without
		// settings. The kubelet would start it again.
		if dead(o.controller) {
			o.controller = daemon(o.t, o.dir, "ovn-controller", o.Endpoint())
		}
		return o.Ctl("list-br")
	}, nstest.Patience(20*time.Second), "20ms").Should(gomega.Equal("br-int"), "ovn-controller makes its bridge again")
}

func (o *OVN) configure() {
	o.t.Helper()
	o.Ctl("--no-wait", "set", "Open_vSwitch", ".", "external_ids:system-id=test", "external_ids:ovn-remote=unix:"+o.dir+"/sb.sock",
		"external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip=127.0.0.1", "external_ids:ovn-bridge-datapath-type="+Datapath())
}
