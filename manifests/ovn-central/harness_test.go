//go:build integration

package central_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/internal/pki"
	"l2sm.io/l2sm/ovn"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// Tests have network namespaces of their own, and beside the machine's OVN, which is
// 23.03, the product's: nodes of both versions are let in.
func TestMain(m *testing.M) { nstest.Main(m, ovstest.Unpack) }

// pod has the script's paths, and its processes see no others' of them. Programs are
// those of $PROGRAMS.
const pod = `set -e
mount --make-rprivate /
for folder in bin sbin lib lib64 usr etc dev; do
  [ ! -e "$PROGRAMS/$folder" ] || { mkdir -p "$0/$folder"; mount --rbind "$PROGRAMS/$folder" "$0/$folder"; }
done
mkdir -p "$0/proc"
mount -t proc proc "$0/proc"
exec chroot "$0" "$@"`

// central is ovn-central's pod, without Kubernetes: its containers' commands, in
// a root of their own, on an address of the loopback interface.
type central struct {
	t             *testing.T
	root, address string
	// programs is the root of the file system that has them.
	programs       string
	control, nodes *pki.Authority
	running        map[string]*exec.Cmd
	nb             *ovn.Client
	sb             *ovn.Southbound
	// known are the nodes that the controller registers in an empty southbound database.
	known []ovn.Registration
	// session is how long a node's connection may last, from the next start of sb on.
	session time.Duration
}

// addresses counts those that are in use.
var addresses byte

// start starts the databases and northd, empty, and closed to nodes.
func start(t *testing.T) *central {
	t.Helper()
	c := prepare(t)
	c.startAll()
	return c
}

// prepare makes the pod's folders, with what its init container writes.
func prepare(t *testing.T) *central {
	t.Helper()
	root, err := os.MkdirTemp("", "central")
	if err != nil {
		t.Fatal(err)
	}
	addresses++
	c := &central{
		t: t, root: root, address: fmt.Sprintf("127.77.%d.%d", os.Getpid()%250, addresses),
		control: authority(t, "control"), nodes: authority(t, "node"), running: map[string]*exec.Cmd{}, session: time.Hour,
	}
	t.Cleanup(c.end)
	for _, dir := range []string{"run/ovn", "tls", "var/lib/ovn", "tmp", "scripts"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../run", filepath.Join(root, "var/run")); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("scripts/ovsdb.sh")
	if err != nil {
		t.Fatal(err)
	}
	c.write("scripts/ovsdb.sh", script)
	server, err := c.control.Server("ovn-central", []string{c.address}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.write("tls/ca.crt", c.control.Pair().Certificate)
	c.write("tls/tls.crt", server.Certificate)
	c.write("tls/tls.key", server.Key)
	return c
}

func (c *central) startAll() {
	c.t.Helper()
	c.startWithoutController()
	go c.register(c.t.Context())
}

// startWithoutController starts it without one that registers nodes.
func (c *central) startWithoutController() {
	c.t.Helper()
	for _, part := range []string{"nb", "sb", "relay"} {
		c.launchDatabase(part)
	}
	c.launch("northd", "/usr/bin/ovn-northd", "--ovnnb-db=unix:/run/ovn/northd.sock", "--ovnsb-db=unix:/run/ovn/ovnsb_db.sock", "--pidfile=/run/ovn/ovn-northd.pid", "-vsyslog:off")
	c.nb, c.sb = c.controller()
}

// register registers the known nodes in each database that northd fills.
func (c *central) register(ctx context.Context) {
	for {
		select {
		case <-c.sb.Filled():
			_, _ = c.sb.Register(ctx, c.known) // without a connection it is told once more
		case <-ctx.Done():
			return
		}
	}
}

func authority(t *testing.T, name string) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority(name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (c *central) write(name string, text []byte) string {
	c.t.Helper()
	path := filepath.Join(c.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// launch starts one container's command. It and all that it starts end with it.
func (c *central) launch(name string, command ...string) {
	c.t.Helper()
	args := append([]string{"--mount", "--pid", "--fork", "--kill-child", "bash", "-c", pod, c.root}, command...)
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), "PROGRAMS="+c.programs, "POD_IP="+c.address, fmt.Sprintf("SESSION_SECONDS=%.0f", c.session.Seconds()))
	log, err := os.Create(filepath.Join(c.root, name+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.running[name] = cmd
}

func (c *central) launchDatabase(part string) {
	c.t.Helper()
	c.launch(part, "/bin/bash", "/scripts/ovsdb.sh", part)
}

func (c *central) kill(name string) {
	_ = c.running[name].Process.Kill() // fails when it has ended
	_ = c.running[name].Wait()         // it was killed
}

func (c *central) end() {
	for name := range c.running {
		c.kill(name)
		if log, err := os.ReadFile(filepath.Join(c.root, name+".log")); err == nil && c.t.Failed() {
			c.t.Logf("%s:\n%s", name, log)
		}
	}
	_ = os.RemoveAll(c.root) // what stays is in the system's folder for such things
}

// identity are the files of a client: its certificate is of an authority.
type identity struct{ key, certificate, ca string }

func (c *central) identity(name string, of *pki.Authority) identity {
	c.t.Helper()
	pair, err := of.Client(name, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	return c.files(name, pair)
}

func (c *central) files(name string, pair pki.Pair) identity {
	c.t.Helper()
	dir := "clients/" + name
	return identity{
		key: c.write(dir+"/tls.key", pair.Key), certificate: c.write(dir+"/tls.crt", pair.Certificate),
		ca: c.write(dir+"/ca.crt", c.control.Pair().Certificate),
	}
}

// controller is connected to both databases as l2sm-controller is.
func (c *central) controller() (*ovn.Client, *ovn.Southbound) {
	c.t.Helper()
	dir := filepath.Dir(c.identity("controller", c.control).key)
	tls, err := pki.Load(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	at := func(port string) ovn.Config {
		return ovn.Config{Endpoints: []string{"ssl:" + net.JoinHostPort(c.address, port)}, TLS: tls}
	}
	nb, err := ovn.Dial(c.t.Context(), at(northboundPort))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nb.Close)
	sb, err := ovn.DialSouthbound(c.t.Context(), at(relayPort))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(sb.Close)
	return nb, sb
}

// fill opens the southbound database to nodes of an authority, as the controller
// does when every network is written.
func (c *central) fill(trusted ...*pki.Authority) {
	c.t.Helper()
	c.trust(trusted...)
	if filled, err := c.nb.Complete(c.t.Context(), nil); err != nil || !filled {
		c.t.Fatalf("mark the database filled: %v, %v", filled, err)
	}
}

func (c *central) trust(authorities ...*pki.Authority) {
	c.t.Helper()
	var all strings.Builder
	for _, a := range authorities {
		all.Write(a.Pair().Certificate)
	}
	if err := c.nb.Trust(c.t.Context(), all.String()); err != nil {
		c.t.Fatal(err)
	}
}

const (
	northboundPort = "6641"
	nodesPort      = "6642"
	relayPort      = "6643"
)

// connects says whether a client is let in.
func (c *central) connects(as identity, port string) bool {
	c.t.Helper()
	client, err := c.dial(as, port)
	if err != nil {
		return false
	}
	return client.Close() == nil
}

func (c *central) eventually(check func() bool, what string) {
	c.t.Helper()
	NewWithT(c.t).Eventually(check, patience, 50*time.Millisecond).Should(BeTrue(), what)
}

// session is a client that stays, and answers when it is asked whether it lives.
type session struct {
	*client
	done chan struct{}
}

// stay connects as a node.
func (c *central) stay(as identity) *session {
	c.t.Helper()
	client, err := c.dial(as, nodesPort)
	if err != nil {
		c.t.Fatal(err)
	}
	s := &session{client: client, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for {
			if _, err := s.next(time.Time{}); err != nil {
				return
			}
		}
	}()
	return s
}

func (s *session) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}
