package ovstest

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// OVN is a whole OVN of one chassis: its databases, ovn-northd and
// ovn-controller, on an OVS of its own.
type OVN struct {
	*OVS
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
	o.Ctl("set", "Open_vSwitch", ".", "external_ids:system-id=test", "external_ids:ovn-remote="+sb,
		"external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip=127.0.0.1", "external_ids:ovn-bridge-datapath-type=netdev")
	daemon(t, o.dir, "ovn-controller", o.Endpoint())
	gomega.NewWithT(t).Eventually(func() string { return o.Ctl("list-br") }, "20s", "50ms").Should(gomega.Equal("br-int"))
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

// NB runs ovn-nbctl and returns what it prints.
func (o *OVN) NB(args ...string) string {
	o.t.Helper()
	return run(o.t, "ovn-nbctl", append([]string{"--timeout=20", "--db=unix:" + o.dir + "/nb.sock"}, args...)...)
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
