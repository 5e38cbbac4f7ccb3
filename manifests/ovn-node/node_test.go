//go:build integration

package ovnnode_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/link/nstest"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// settings are those of a node with the userspace datapath, as the local
// cluster's, which any kernel can run.
var settings = map[string]string{
	"NODE_NAME": "node-a", "NODE_IPS": "192.0.2.10,2001:db8::10", "UNDERLAY_FAMILY": "IPv4",
	"DATAPATH": "netdev", "TUNNEL_INTERFACE": "eth1", "EDGE_INTERFACE": "",
}

func TestMain(m *testing.M) { nstest.Main(m, machine) }

// machine makes the namespaces a node with three interfaces, in which nothing of
// Open vSwitch has run.
func machine() error {
	for _, m := range []struct{ kind, path string }{{"sysfs", "/sys"}, {"tmpfs", "/var/lib"}} {
		if err := unix.Mount(m.kind, m.path, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.path, err)
		}
	}
	out, err := exec.Command("sh", "-ec", `
		[ -c /dev/net/tun ] || modprobe tun
		mkdir -p /run/openvswitch /run/ovn /var/lib/l2sm/openvswitch
		ip link set lo up
		for i in 0 1 2; do
			ip link add eth$i type veth peer name peer$i
			ip link set peer$i up; ip link set eth$i up
		done
		ip address add 192.0.2.10/24 dev eth0; ip address add 2001:db8::10/64 dev eth0 nodad
		ip address add 198.51.100.10/24 dev eth1
		ip address add 203.0.113.10/24 dev eth2`).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make the node's interfaces: %w: %s", err, out)
	}
	return nil
}

// script is one of the node's, with the settings and changes to them.
func script(name string, changes map[string]string) *exec.Cmd {
	cmd := exec.Command("bash", "scripts/"+name)
	cmd.Env = os.Environ()
	for key, value := range settings {
		if changed, ok := changes[key]; ok {
			value = changed
		}
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	return cmd
}

// daemon is a script that runs until it is stopped, in a process group of its
// own, as in a container.
type daemon struct {
	*exec.Cmd
	output *bytes.Buffer
	ended  chan struct{}
}

func start(t *testing.T, name string, changes map[string]string) *daemon {
	t.Helper()
	d := &daemon{Cmd: script(name, changes), output: &bytes.Buffer{}, ended: make(chan struct{})}
	d.Stdout, d.Stderr = d.output, d.output
	d.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() { _ = d.Wait(); close(d.ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-d.Process.Pid, syscall.SIGKILL)
		<-d.ended
		if t.Failed() {
			t.Logf("%s:\n%s", name, d.output)
		}
	})
	return d
}

// background runs another's daemon that keeps its files in folder, until end or
// the test's end.
func background(t *testing.T, folder string, args ...string) (end func()) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+folder, "OVS_LOGDIR="+folder)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(end)
	return end
}

// stop ends the script as the kubelet does.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("send SIGTERM: %v", err)
	}
	NewWithT(t).Eventually(d.ended, patience).Should(BeClosed())
}

// run runs a command to its end and returns its output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
