package ovstest

import (
	"bytes"
	"fmt"
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
	northd     *exec.Cmd
	servers    map[string]*exec.Cmd // of the databases, by their names
	settings   []string             // of ovn-controller, in Open_vSwitch
}

// StartOVN starts them and returns when ovn-controller has made the
// integration bridge.
func StartOVN(t testing.TB) *OVN {
	t.Helper()
	need(t, "ovn-central ovn-host", "/usr/bin/ovn-northd", "/usr/bin/ovn-controller", "/usr/bin/ovn-nbctl")
	o := &OVN{OVS: startEmpty(t, place{}), settings: settingsOf("test", "127.0.0.1")}
	o.start()
	return o
}

// start starts all of OVN on the OVS that is there.
func (o *OVN) start() {
	o.t.Helper()
	o.servers = map[string]*exec.Cmd{}
	for _, name := range []string{"nb", "sb"} {
		o.createDatabase(name)
	}
	o.StartNorthd()
	o.configure()
	o.controller = o.place.daemon(o.t, o.dir, "ovn-controller", o.Endpoint())
	gomega.NewWithT(o.t).Eventually(func() []string { return strings.Fields(o.Ctl("list-br")) }, nstest.Patience(20*time.Second), "50ms").Should(gomega.ContainElement("br-int"))
}

// createDatabase makes an empty database and starts its server.
func (o *OVN) createDatabase(name string) {
	o.t.Helper()
	o.place.run(o.t, "ovsdb-tool", "create", o.dir+"/"+name+".db", "/usr/share/ovn/ovn-"+name+".ovsschema")
	o.startServer(name)
	if name == "nb" {
		o.NB("init")
		return
	}
	// ovn-controller 25.03.0 crashes (signal 11, init_physical_ctx) when it has work to
	// do before northd has made the row of SB_Global.
	o.SB("init")
}

func (o *OVN) startServer(name string) {
	o.t.Helper()
	file, socket := o.dir+"/"+name+".db", o.dir+"/"+name+".sock"
	o.servers[name] = o.place.daemon(o.t, o.dir, "ovsdb-server", file, "--remote=punix:"+socket, "--unixctl="+o.dir+"/"+name+".ctl")
	await(o.t, socket)
}

// WipeDatabase replaces a database, nb or sb, by an empty one.
func (o *OVN) WipeDatabase(name string) {
	o.t.Helper()
	kill(o.t, o.servers[name])
	if err := os.Remove(o.dir + "/" + name + ".db"); err != nil {
		o.t.Fatal(err)
	}
	o.createDatabase(name)
}

// Commits is how many transactions have changed a database, nb or sb, without those
// of OVN's own programs, which say so in a comment.
func (o *OVN) Commits(name string) int {
	o.t.Helper()
	log, err := os.ReadFile(o.dir + "/" + name + ".db")
	if err != nil {
		o.t.Fatal(err)
	}
	return bytes.Count(log, []byte("OVSDB JSON ")) - bytes.Count(log, []byte(`"_comment":"ovn-`))
}

// StartNorthd starts ovn-northd, after StopNorthd has ended it.
func (o *OVN) StartNorthd() {
	o.t.Helper()
	o.northd = o.place.daemon(o.t, o.dir, "ovn-northd", "--ovnnb-db="+o.Northbound(), "--ovnsb-db="+o.Southbound(), "--unixctl="+o.dir+"/northd.ctl")
}

// StopNorthd kills ovn-northd.
func (o *OVN) StopNorthd() { kill(o.t, o.northd) }

// PauseController has ovn-controller do nothing until the returned function is
// called.
func (o *OVN) PauseController() (resume func()) {
	o.t.Helper()
	return pause(o.t, o.controller)
}

// RestartController kills ovn-controller and starts it again.
func (o *OVN) RestartController() {
	o.t.Helper()
	kill(o.t, o.controller)
	o.controller = o.place.daemon(o.t, o.dir, "ovn-controller", o.Endpoint())
}

// Mature has ovn-controller remove patch ports that have no binding at once, as one
// does that has run for some time: one that starts waits until it has seen enough of its
// database.
func (o *OVN) Mature() {
	o.t.Helper()
	o.place.run(o.t, "ovn-appctl", "--target", fmt.Sprintf("%s/ovn-controller.%d.ctl", o.dir, o.controller.Process.Pid), "debug/ignore-startup-delay")
}

// Version is what ovn-northd says of itself.
func (o *OVN) Version() string {
	o.t.Helper()
	return o.place.run(o.t, "ovn-northd", "--version")
}

// Northbound is the endpoint of the northbound database.
func (o *OVN) Northbound() string { return "unix:" + o.dir + "/nb.sock" }

// Southbound is the endpoint of the southbound database.
func (o *OVN) Southbound() string { return "unix:" + o.dir + "/sb.sock" }

// NB runs ovn-nbctl and returns what it prints.
func (o *OVN) NB(args ...string) string {
	o.t.Helper()
	return o.place.run(o.t, "ovn-nbctl", append([]string{"--timeout=20", "--db=" + o.Northbound()}, args...)...)
}

// SB runs ovn-sbctl and returns what it prints.
func (o *OVN) SB(args ...string) string {
	o.t.Helper()
	return o.place.run(o.t, "ovn-sbctl", append([]string{"--timeout=20", "--db=" + o.Southbound()}, args...)...)
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
	o.place.run(o.t, "ovsdb-tool", "create", o.dir+"/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
	o.StartServer()
	o.Ctl("--no-wait", "init")
	o.configure()
	gomega.NewWithT(o.t).Eventually(func() string {
		// That of OVN 23.03 may crash (signal 11) when it finds the database without
		// settings. The kubelet would start it again.
		if dead(o.controller) {
			o.controller = o.place.daemon(o.t, o.dir, "ovn-controller", o.Endpoint())
		}
		return o.Ctl("list-br")
	}, nstest.Patience(20*time.Second), "20ms").Should(gomega.Equal("br-int"), "ovn-controller makes its bridge again")
}

func (o *OVN) configure() {
	o.t.Helper()
	args := []string{"--no-wait", "set", "Open_vSwitch", ".", "external_ids:ovn-remote=unix:" + o.dir + "/sb.sock"}
	o.Ctl(append(args, o.settings...)...)
}

// settingsOf are those of ovn-controller on the chassis of the name.
func settingsOf(chassis, address string) []string {
	return []string{
		"external_ids:system-id=" + chassis, "external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip=" + address,
		"external_ids:ovn-bridge-datapath-type=" + Datapath(),
	}
}
