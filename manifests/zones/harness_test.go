//go:build integration

package zones_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/ovn"
)

// patience is how long a test waits for what must happen.
// northd looks again after 8 s where it found a database gone.
const patience = 40 * time.Second

// parts are the containers that make a node a zone, and a socket of each.
var parts = map[string]string{"nb": "ovnnb_db.sock", "sb": "ovnsb_db.sock", "northd": "ovn-northd.ctl"}

// pod has the containers' paths, and no capability, as the DaemonSet says.
const pod = `set -e
mount --make-rprivate /
for folder in bin sbin lib lib64 usr etc dev; do
  [ ! -e /$folder ] || { mkdir -p "$0/$folder"; mount --rbind /$folder "$0/$folder"; }
done
mkdir -p "$0/proc"
mount -t proc proc "$0/proc"
exec chroot "$0" setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"`

// zone runs them without Kubernetes, in a root of their own, by the commands of the
// DaemonSet.
type zone struct {
	t          *testing.T
	root       string
	containers map[string]corev1.Container
	running    map[string]*exec.Cmd
	logs       []string
}

func start(t *testing.T) *zone {
	t.Helper()
	root, err := os.MkdirTemp("", "zone") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{t: t, root: root, containers: map[string]corev1.Container{}, running: map[string]*exec.Cmd{}}
	t.Cleanup(func() {
		z.end()
		for _, name := range z.logs {
			if log, err := os.ReadFile(name); err == nil && t.Failed() {
				t.Logf("%s:\n%s", filepath.Base(name), log)
			}
		}
		_ = os.RemoveAll(root) // what stays is in the system's folder for such things
	})
	objects := built(t, "../overlays/zones")
	for _, c := range objects["DaemonSet/ovn-node"].Spec.Template.Spec.Containers {
		z.containers[c.Name] = c
	}
	for _, folder := range []string{"run/ovn", "scripts", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "var"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../run", filepath.Join(root, "var/run")); err != nil {
		t.Fatal(err)
	}
	for name, text := range objects["ConfigMap/ovn-zone-scripts"].Data {
		if err := os.WriteFile(filepath.Join(root, "scripts", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	z.startAll()
	return z
}

func (z *zone) startAll() {
	z.t.Helper()
	for name := range parts {
		z.launch(name)
	}
	NewWithT(z.t).Eventually(func() bool { return z.listens(parts["nb"]) && z.listens(parts["sb"]) }, patience, "20ms").Should(BeTrue(), "the databases answer")
}

// folder is the node's, with the databases and their sockets.
func (z *zone) folder() string { return filepath.Join(z.root, "run/ovn") }

func (z *zone) command(args ...string) *exec.Cmd {
	cmd := exec.Command("unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "bash", "-c", pod, z.root}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// launch starts a container. All that it starts ends with it.
func (z *zone) launch(name string) {
	z.t.Helper()
	file := filepath.Join(z.root, fmt.Sprintf("%s-%d.log", name, len(z.logs)))
	log, err := os.Create(file)
	if err != nil {
		z.t.Fatal(err)
	}
	defer log.Close()
	z.logs = append(z.logs, file)
	cmd := z.command(z.containers[name].Command...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		z.t.Fatal(err)
	}
	z.running[name] = cmd
}

// kill returns when the container's program is gone, too.
func (z *zone) kill(name string) {
	_ = z.running[name].Process.Kill() // fails when it has ended
	_ = z.running[name].Wait()         // it was killed
	NewWithT(z.t).Eventually(func() bool { return z.listens(parts[name]) }, patience, "10ms").Should(BeFalse())
}

func (z *zone) end() {
	for name := range z.running {
		z.kill(name)
	}
}

// try runs a command in the pod.
func (z *zone) try(args ...string) error {
	if out, err := z.command(args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// nb runs ovn-nbctl as a person in the pod does.
func (z *zone) nb(args ...string) {
	z.t.Helper()
	if err := z.try(append([]string{"ovn-nbctl", "--timeout=20"}, args...)...); err != nil {
		z.t.Fatal(err)
	}
}

// bindings are the ports that northd has made, as a sorted list.
func (z *zone) bindings() string {
	z.t.Helper()
	out, err := z.command("sh", "-c", "ovn-sbctl --timeout=20 --bare --columns=logical_port list Port_Binding | sort").CombinedOutput()
	if err != nil {
		z.t.Fatalf("list port bindings: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// fill marks the northbound database as l2sm-agent does when all is written.
func (z *zone) fill() {
	z.t.Helper()
	client, err := ovn.Dial(z.t.Context(), ovn.Config{Endpoints: []string{"unix:" + filepath.Join(z.folder(), "ovnnb_db.sock")}})
	if err != nil {
		z.t.Fatal(err)
	}
	defer client.Close()
	NewWithT(z.t).Eventually(client.Connected, patience, "20ms").Should(BeTrue())
	if filled, err := client.Complete(z.t.Context(), nil); err != nil || !filled {
		z.t.Fatalf("mark the database filled: %v, %v", filled, err)
	}
}

// listens says whether something takes connections on a socket of the folder.
func (z *zone) listens(socket string) bool {
	conn, err := net.Dial("unix", filepath.Join(z.folder(), socket))
	return err == nil && conn.Close() == nil
}
