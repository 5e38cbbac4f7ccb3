// Package frrtest runs FRR for tests: bgpd alone as a route reflector, with zebra as a
// VTEP on a kernel bridge. FRR is Debian's, unpacked by fetch.sh, and not installed.
package frrtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FRR is its daemons in one network namespace.
type FRR struct {
	t     testing.TB
	netns string
	dir   string
	root  string
	bgpd  *exec.Cmd
}

// Root is where FRR is unpacked.
func Root(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(cache, "l2sm", "frr")
	if _, err := os.Stat(filepath.Join(root, "usr/lib/frr/bgpd")); err != nil {
		t.Fatalf("run internal/evpn/frrtest/fetch.sh, which fetches FRR: %v", err)
	}
	return root
}

// Reflector runs bgpd alone, which listens on address, in a network namespace that is
// given by its path.
func Reflector(t testing.TB, netns, address, conf string) *FRR {
	t.Helper()
	f := &FRR{t: t, netns: netns, dir: t.TempDir(), root: Root(t)}
	f.prepare(conf)
	f.StartBGP(address, "-n")
	return f
}

// VTEP runs zebra and bgpd. The namespace's bridges and VXLAN devices are the networks,
// see Bridge.
func VTEP(t testing.TB, netns, address, conf string) *FRR {
	t.Helper()
	f := &FRR{t: t, netns: netns, dir: t.TempDir(), root: Root(t)}
	f.prepare(conf)
	f.write("zebra.conf", "")
	zebra := f.command(f.daemon("zebra"), "-f", f.path("zebra.conf"), "-i", f.path("zebra.pid"), "-z", f.path("zserv.api"), "--vty_socket", f.dir, "-u", "root", "-g", "root")
	f.run(zebra, "zebra")
	f.await("zserv.api")
	f.StartBGP(address)
	return f
}

// StartBGP starts bgpd, also after Kill.
func (f *FRR) StartBGP(address string, arguments ...string) {
	f.t.Helper()
	_ = os.Remove(f.path("bgpd.vty"))
	f.bgpd = f.command(f.daemon("bgpd"), append([]string{"-f", f.path("bgpd.conf"), "-i", f.path("bgpd.pid"), "-z", f.path("zserv.api"),
		"--vty_socket", f.dir, "-S", "-u", "root", "-g", "root", "-l", address}, arguments...)...)
	f.run(f.bgpd, "bgpd")
	f.await("bgpd.vty")
}

// Kill ends bgpd without a word to its peers.
func (f *FRR) Kill() {
	f.t.Helper()
	if err := f.bgpd.Process.Kill(); err != nil {
		f.t.Fatalf("kill bgpd: %v", err)
	}
	_ = f.bgpd.Wait()
}

// Show runs a command of bgpd and returns what it says.
func (f *FRR) Show(command string) string {
	f.t.Helper()
	// vtysh would want PAM. The socket takes commands that end in a NUL; an answer ends
	// in three and a status.
	c, err := net.DialTimeout("unix", f.path("bgpd.vty"), 5*time.Second)
	if err != nil {
		f.t.Fatalf("dial bgpd: %v", err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	var said string
	for _, line := range []string{"enable", command} {
		if _, err := c.Write(append([]byte(line), 0)); err != nil {
			f.t.Fatalf("ask bgpd: %v", err)
		}
		var all []byte
		b := make([]byte, 1<<16)
		for len(all) < 4 || !bytes.Equal(all[len(all)-4:len(all)-1], []byte{0, 0, 0}) {
			n, err := c.Read(b)
			if err != nil {
				f.t.Fatalf("ask bgpd %q: %v", command, err)
			}
			all = append(all, b[:n]...)
		}
		said = string(all[:len(all)-4])
	}
	return said
}

func (f *FRR) path(name string) string   { return filepath.Join(f.dir, name) }
func (f *FRR) daemon(name string) string { return filepath.Join(f.root, "usr/lib/frr", name) }

func (f *FRR) write(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// prepare writes what daemons want: a configuration, and a group for zebra's vty.
func (f *FRR) prepare(conf string) {
	f.t.Helper()
	group, err := os.ReadFile("/etc/group")
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("group", string(group)+"frrvty:x:9999:root\n")
	f.write("bgpd.conf", conf)
}

// command is a daemon's, in the network namespace, with mounts of its own: it leaves
// nothing in /var/tmp.
func (f *FRR) command(name string, arguments ...string) *exec.Cmd {
	c := exec.Command("nsenter", append([]string{"--net=" + f.netns, "unshare", "-m",
		"sh", "-ec", `mount -t tmpfs none /var/tmp; mount --bind "$1" /etc/group; shift; exec "$@"`, "sh", f.path("group"), name}, arguments...)...)
	libraries := filepath.Join(f.root, "usr/lib/x86_64-linux-gnu")
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(libraries, "frr")+":"+libraries)
	return c
}

// run starts a daemon in the foreground, and ends it with the test.
func (f *FRR) run(c *exec.Cmd, name string) {
	f.t.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		f.t.Fatalf("start %s: %v", name, err)
	}
	f.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if f.t.Failed() {
			f.t.Logf("%s: %s", name, out.String())
		}
	})
}

func (f *FRR) await(name string) {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		if c, err := net.Dial("unix", f.path(name)); err == nil {
			_ = c.Close()
			return
		}
	}
	f.t.Fatalf("FRR does not open %s", name)
}

// Bridge makes a network as a Linux VTEP has it: a bridge brVNI, and in it a VXLAN
// device vxVNI from an address of the namespace.
func Bridge(t testing.TB, netns, local string, vni int) {
	t.Helper()
	for _, line := range []string{
		fmt.Sprintf("ip link add br%d type bridge", vni),
		fmt.Sprintf("ip link add vx%d type vxlan id %d dstport 4789 local %s nolearning", vni, vni, local),
		fmt.Sprintf("ip link set vx%d master br%d up", vni, vni),
		fmt.Sprintf("bridge link set dev vx%d learning off", vni),
		fmt.Sprintf("ip link set br%d up", vni),
	} {
		In(t, netns, line)
	}
}

// In runs a command in a network namespace, and returns what it says.
func In(t testing.TB, netns, line string) string {
	t.Helper()
	out, err := exec.Command("nsenter", append([]string{"--net=" + netns}, strings.Fields(line)...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}
