//go:build integration

package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"l2sm.io/l2sm/e2e/lab/cgroup"
	"l2sm.io/l2sm/e2e/lab/netns"
)

const testLab = "labtest"

// pods are one pod on each node, and a Service for them.
const pods = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: try}
spec:
  selector: {matchLabels: {app: try}}
  template:
    metadata: {labels: {app: try}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: c, image: "localhost/l2sm-toolbox:dev", command: [nc, -lk, -p, "8080"]}
---
apiVersion: v1
kind: Service
metadata: {name: try}
spec: {selector: {app: try}, ports: [{port: 80, targetPort: 8080}]}
`

// A cluster's whole life: it comes up, works, survives the end of its parts, and leaves nothing.
func TestLab(t *testing.T) {
	program := filepath.Join(t.TempDir(), "lab")
	run(t, "go", "build", "-o", program, "./cmd/lab")
	t.Cleanup(func() { run(t, program, "--name", testLab, "down") })
	up := func(t *testing.T) { t.Helper(); run(t, program, "--name", testLab, "up", "--nodes", "2") }

	up(t)
	cache, err := DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(cache, testLab)
	if err != nil {
		t.Fatal(err)
	}
	l.apply(t, pods)
	l.mustWork(t)

	t.Run("NodesAreMachines", func(t *testing.T) {
		if got := l.node(t, "n2", "hostname"); got != "n2" {
			t.Errorf("host name %q, want n2", got)
		}
		l.node(t, "n1", "ping", "-c1", "-W2", "-Mdo", "-s1572", l.plan.Nodes[1].TunnelIP) // 1600 bytes
	})
	t.Run("ClientGo", func(t *testing.T) {
		config, err := l.RESTConfig()
		if err != nil {
			t.Fatal(err)
		}
		nodes, err := kubernetes.NewForConfigOrDie(config).CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes.Items {
			if got := internalIP(n); !strings.HasPrefix(got, "10.250.0.") {
				t.Errorf("node %q has the InternalIP %q, want the address of its eth0", n.Name, got)
			}
		}
	})
	t.Run("UpTwice", func(t *testing.T) {
		before := l.Status()
		up(t)
		for i, p := range l.Status() {
			if p != before[i] {
				t.Errorf("%s was %+v and is %+v", p.Name, before[i], p)
			}
		}
	})
	t.Run("PartsKilled", func(t *testing.T) {
		for _, p := range l.Status() {
			if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		gomega.NewWithT(t).Eventually(l.anyRunning, "10s", "20ms").Should(gomega.BeFalse())
		up(t)
		l.mustWork(t)
	})
	t.Run("APIServerAway", func(t *testing.T) {
		if err := l.StopAPI(); err != nil {
			t.Fatal(err)
		}
		if out, err := l.Kubectl(context.Background(), "get", "--raw", "/readyz"); err == nil {
			t.Errorf("an API server that was killed says %q", out)
		}
		if err := l.StartAPI(context.Background()); err != nil {
			t.Fatal(err)
		}
		l.mustWork(t)
	})
	t.Run("NodeWithoutPower", func(t *testing.T) {
		if err := l.StopNode("n2"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Node(context.Background(), "n2", "true"); err == nil {
			t.Error("a node without power takes commands")
		}
		if err := l.StartNode(context.Background(), "n2"); err != nil {
			t.Fatal(err)
		}
		l.mustWork(t)
	})

	run(t, program, "--name", testLab, "down")
	mustBeGone(t, l)
}

// mustWork fails unless the pod of each node reaches the Service of all by its name.
func (l *Lab) mustWork(t *testing.T) {
	t.Helper()
	wait := gomega.NewWithT(t)
	for _, n := range l.Nodes() {
		ask := func() error {
			pod, err := l.Kubectl(context.Background(), "get", "pods", "--selector=app=try", "--field-selector=spec.nodeName="+n, "--output=name")
			if err != nil {
				return err
			}
			_, err = l.Kubectl(context.Background(), "exec", strings.TrimSpace(pod), "--", "nc", "-z", "-w2", "try.default.svc.cluster.local", "80")
			return err
		}
		wait.Eventually(ask, "60s", "200ms").Should(gomega.Succeed())
	}
}

func (l *Lab) anyRunning() bool {
	return slices.ContainsFunc(l.Status(), func(p Part) bool { return p.Running })
}

func (l *Lab) apply(t *testing.T, manifest string) {
	t.Helper()
	cmd := l.KubectlCommand(context.Background(), "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	if _, err := output(cmd); err != nil {
		t.Fatal(err)
	}
}

func (l *Lab) node(t *testing.T, name string, argv ...string) string {
	t.Helper()
	out, err := l.Node(context.Background(), name, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func internalIP(n corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// mustBeGone fails if anything of the cluster is left on the machine.
func mustBeGone(t *testing.T, l *Lab) {
	t.Helper()
	namespaces, err := netns.Names(l.plan.owns)
	if err != nil || len(namespaces) > 0 {
		t.Errorf("network namespaces are left: %v, %v", namespaces, err)
	}
	groups, err := cgroup.Names(l.plan.owns)
	if err != nil || len(groups) > 0 {
		t.Errorf("control groups are left: %v, %v", groups, err)
	}
	if _, err := os.Stat(l.dir); !os.IsNotExist(err) {
		t.Errorf("files are left in %s: %v", l.dir, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), testLab) {
		t.Errorf("mounts are left, or %v:\n%s", err, mounts)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		cmdline, _ := os.ReadFile(p) // it may have ended since
		if strings.Contains(string(cmdline), l.dir) {
			t.Errorf("a process is left: %q", cmdline)
		}
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	t.Logf("%s\n%s", strings.Join(args, " "), out)
}
