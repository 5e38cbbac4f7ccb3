// Package ovstest runs a real Open vSwitch, and a real OVN on top of it, for a
// test. Use it under internal/link/nstest: bridges are devices of the network
// namespace, and the PID namespace ends what a crashed test leaves.
package ovstest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link/nstest"
)

// OVS is an ovsdb-server and an ovs-vswitchd with Datapath.
type OVS struct {
	t        testing.TB
	place    place
	dir      string
	server   *exec.Cmd
	vswitchd *exec.Cmd
}

// Start starts OVS with an empty integration bridge, or, for a bridge of
// ovn-controller's making, with none: see StartOVN. It ends with the test.
func Start(t testing.TB) *OVS {
	t.Helper()
	o := startEmpty(t, place{})
	o.AddBridge()
	return o
}

func startEmpty(t testing.TB, at place) *OVS {
	t.Helper()
	need(t, "openvswitch-switch", "/usr/sbin/ovsdb-server", "/usr/sbin/ovs-vswitchd", "/usr/bin/ovs-vsctl")
	tellDatapath()
	o := &OVS{t: t, place: at, dir: socketDir(t)}
	at.run(t, "ovsdb-tool", "create", o.dir+"/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
	o.StartServer()
	o.Ctl("--no-wait", "init")
	o.StartVswitchd()
	return o
}

// socketDir is a short path: Unix sockets take 107 bytes.
func socketDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func need(t testing.TB, debian string, files ...string) {
	t.Helper()
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("%v; the test runs the real program: apt-get install %s", err, debian)
		}
	}
}

// Socket is the path of the database's socket.
func (o *OVS) Socket() string { return o.dir + "/db.sock" }

// Endpoint is Socket as OVS writes it.
func (o *OVS) Endpoint() string { return "unix:" + o.Socket() }

// Management is the path of the socket on which a bridge speaks OpenFlow.
func (o *OVS) Management(bridge string) string { return o.dir + "/" + bridge + ".mgmt" }

// Ofctl runs ovs-ofctl, by OpenFlow 1.5, on a bridge and returns what it prints.
func (o *OVS) Ofctl(command, bridge string, args ...string) string {
	o.t.Helper()
	return o.place.run(o.t, "ovs-ofctl", append([]string{"--timeout=20", "-OOpenFlow15", command, "unix:" + o.Management(bridge)}, args...)...)
}

// Ctl runs ovs-vsctl and returns what it prints.
func (o *OVS) Ctl(args ...string) string {
	o.t.Helper()
	return o.place.run(o.t, "ovs-vsctl", append([]string{"--timeout=20", "--db=" + o.Endpoint()}, args...)...)
}

// Trace is what ovs-vswitchd says it would do with a frame of the bridge (ovs-vswitchd(8),
// ofproto/trace).
func (o *OVS) Trace(bridge, flow string) string {
	o.t.Helper()
	return o.place.run(o.t, "ovs-appctl", "--timeout=20", "-t", o.dir+"/vswitchd.ctl", "ofproto/trace", bridge, flow)
}

// AddBridge makes the integration bridge, as ovn-controller would.
func (o *OVS) AddBridge() {
	o.t.Helper()
	o.Ctl("--may-exist", "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type="+Datapath(), "fail_mode=secure")
}

// Ports lists the ports on the integration bridge.
func (o *OVS) Ports() []string {
	o.t.Helper()
	return strings.Fields(o.Ctl("list-ports", "br-int"))
}

// StartServer starts ovsdb-server on what its last run left.
func (o *OVS) StartServer() {
	o.t.Helper()
	o.server = o.place.daemon(o.t, o.dir, "ovsdb-server", o.dir+"/conf.db", "--remote=p"+o.Endpoint(), "--unixctl="+o.dir+"/ovsdb.ctl")
	await(o.t, o.Socket())
}

// LosePort removes a port while ovsdb-server is down: its clients learn of it
// only by looking again.
func (o *OVS) LosePort(name string) {
	o.t.Helper()
	uuid, bridge := o.Ctl("get", "port", name, "_uuid"), o.Ctl("port-to-br", name)
	o.StopServer()
	o.place.run(o.t, "ovsdb-tool", "transact", o.dir+"/conf.db", fmt.Sprintf(
		`["Open_vSwitch", {"op": "mutate", "table": "Bridge", "where": [["name", "==", %q]], "mutations": [["ports", "delete", ["uuid", %q]]]}]`, bridge, uuid))
	o.StartServer()
}

// StopServer kills ovsdb-server.
func (o *OVS) StopServer() { kill(o.t, o.server) }

// StartVswitchd starts ovs-vswitchd.
func (o *OVS) StartVswitchd() {
	o.t.Helper()
	o.vswitchd = o.place.daemon(o.t, o.dir, "ovs-vswitchd", append(vswitchdArgs(), o.Endpoint(), "--unixctl="+o.dir+"/vswitchd.ctl")...)
}

// StopVswitchd kills ovs-vswitchd.
func (o *OVS) StopVswitchd() { kill(o.t, o.vswitchd) }

// PauseVswitchd has ovs-vswitchd do nothing until the returned function is
// called.
func (o *OVS) PauseVswitchd() (resume func()) {
	o.t.Helper()
	return pause(o.t, o.vswitchd)
}

func pause(t testing.TB, cmd *exec.Cmd) (resume func()) {
	t.Helper()
	signal := func(s syscall.Signal) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Errorf("signal %s: %v", cmd.Path, err)
		}
	}
	signal(syscall.SIGSTOP)
	return func() { signal(syscall.SIGCONT) }
}

func kill(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if cmd.ProcessState != nil {
		return
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("kill %s: %v", cmd.Path, err)
	}
	_ = cmd.Wait() // killed: an error by our own doing
}

// dead says whether the process has ended, as one that nobody waited for yet.
func dead(cmd *exec.Cmd) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// await waits for a server to listen.
func await(t testing.TB, socket string) {
	t.Helper()
	gomega.NewWithT(t).Eventually(func() error {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}, nstest.Patience(10*time.Second), 10*time.Millisecond).Should(gomega.Succeed(), "nothing listens on %s", socket)
}
