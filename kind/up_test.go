package kind_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// standIn records its name and arguments, and answers what up.sh asks for. It
// fails when its command begins with $FAILS.
const standIn = `#!/bin/bash
call="${0##*/} $*"
echo "$call" >> "$CALLS"
case $call in
"kind version -q") echo "${KIND_VERSION-0.32.0}" ;;
"kind get clusters") echo "$CLUSTERS" ;;
esac
[ -z "${FAILS-}" ] || [[ $call != "$FAILS"* ]]
`

// machine is a checkout with the scripts and stand-ins for make, kind, kubectl, go
// and bin/lab.
type machine struct {
	t    *testing.T
	root string
	env  []string
}

func newMachine(t *testing.T, env ...string) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir()}
	for _, name := range []string{"up.sh", "down.sh", "check-host.sh"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m.write("kind/"+name, string(text))
	}
	for _, name := range []string{"path/make", "path/kind", "path/kubectl", "path/go", "bin/lab"} {
		m.write(name, standIn)
	}
	// Nothing else is on the path: the machine may have kubectl itself.
	for _, tool := range []string{"bash", "dirname", "grep", "sort", "head"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.root, "path", tool)); err != nil {
			t.Fatal(err)
		}
	}
	m.write("host/sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
	m.write("host/proc/sys/fs/inotify/max_user_instances", "512\n")
	m.write("host/proc/sys/fs/inotify/max_user_watches", "65536\n")
	m.env = append([]string{"PATH=" + filepath.Join(m.root, "path"), "CALLS=" + filepath.Join(m.root, "calls"), "HOST_ROOT=" + filepath.Join(m.root, "host")}, env...)
	return m
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// run returns what the script called, and what it said if it failed.
func (m *machine) run(script string, args ...string) (calls []string, failure string) {
	m.t.Helper()
	cmd := exec.Command(filepath.Join(m.root, "kind", script), args...)
	cmd.Env = m.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		failure = string(out)
	}
	text, err := os.ReadFile(filepath.Join(m.root, "calls"))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		calls = append(calls, strings.TrimSpace(line))
	}
	return calls, failure
}

var (
	builds = []string{"kind version -q", "make build", "lab images controller agent ovn toolbox", "kind get clusters"}
	rest   = []string{
		"kind load image-archive bin/images/controller.tar --name l2sm",
		"kind load image-archive bin/images/agent.tar --name l2sm",
		"kind load image-archive bin/images/ovn.tar --name l2sm",
		"kind load image-archive bin/images/toolbox.tar --name l2sm",
		"kubectl --context kind-l2sm apply -k kind/multus",
		"kubectl --context kind-l2sm --namespace kube-system rollout status daemonset/kube-multus-ds --timeout=5m",
		"kubectl --context kind-l2sm apply -k kind",
		"kubectl --context kind-l2sm --namespace l2sm-system rollout status deployment/ovn-central --timeout=5m",
		"kubectl --context kind-l2sm --namespace l2sm-system rollout status daemonset/ovn-node --timeout=5m",
		"kubectl --context kind-l2sm --namespace l2sm-system rollout status deployment/l2sm-controller --timeout=5m",
		"kubectl --context kind-l2sm --namespace l2sm-system rollout status daemonset/l2sm-agent --timeout=5m",
		"kubectl --context kind-l2sm apply -f examples/ping-pong/network.yaml -f examples/ping-pong/pods.yaml",
		"kubectl --context kind-l2sm wait --for=condition=Ready --timeout=2m pod/ping pod/pong",
		"kubectl --context kind-l2sm exec ping -- ping -c 3 10.101.2.10",
		"kubectl --context kind-l2sm exec ping -- ping -c 3 fd10:101::10",
	}
)

func TestUp(t *testing.T) {
	create, resume := "kind create cluster --name l2sm --config kind/cluster.yaml", "kind export kubeconfig --name l2sm"
	for name, tc := range map[string]struct {
		reason string
		env    []string
		want   []string
		says   string
	}{
		"Fresh":     {"There is no cluster of the name.", []string{"CLUSTERS=other"}, slices.Concat(builds, []string{create}, rest), ""},
		"Continued": {"One that failed halfway goes on.", []string{"CLUSTERS=l2sm"}, slices.Concat(builds, []string{resume}, rest), ""},
		"Broken":    {"A cluster that kind never finished can't.", []string{"CLUSTERS=l2sm", "FAILS=kind export"}, slices.Concat(builds, []string{resume}), "make kind-down"},
		"Fails":     {"Nothing goes on after a step that failed.", []string{"FAILS=kubectl --context kind-l2sm apply -k kind/multus"}, slices.Concat(builds, []string{create}, rest[:5]), "install Multus"},
		"OldKind":   {"Its nodes run a Kubernetes without the admission policies.", []string{"KIND_VERSION=0.9.1"}, builds[:1], "older than v0.32.0"},
	} {
		t.Run(name, func(t *testing.T) {
			calls, failure := newMachine(t, tc.env...).run("up.sh")
			if diff := cmp.Diff(tc.want, calls); diff != "" {
				t.Errorf("%s calls (-want +got):\n%s", tc.reason, diff)
			}
			if (failure == "") != (tc.says == "") || !strings.Contains(failure, tc.says) {
				t.Errorf("%s It says %q, want %q in it", tc.reason, failure, tc.says)
			}
		})
	}
}

func TestCheckHost(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		spoil  func(m *machine)
		says   string
	}{
		"Fine":       {"Nothing is missing.", func(*machine) {}, ""},
		"NewerKind":  {"Versions are numbers, not words.", func(m *machine) { m.env = append(m.env, "KIND_VERSION=0.100.0") }, ""},
		"NoKubectl":  {"It says which program is missing.", func(m *machine) { m.remove("path/kubectl") }, "kubectl is not installed"},
		"OldCgroups": {"A kubelet of today would not start.", func(m *machine) { m.remove("host/sys/fs/cgroup/cgroup.controllers") }, "control groups v1"},
		"FewWatches": {"Nodes would fail one after the other.", func(m *machine) { m.write("host/proc/sys/fs/inotify/max_user_instances", "128\n") }, "sysctl fs.inotify.max_user_instances=512"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			tc.spoil(m)
			_, failure := m.run("check-host.sh")
			if (failure == "") != (tc.says == "") || !strings.Contains(failure, tc.says) {
				t.Errorf("%s It says %q, want %q in it", tc.reason, failure, tc.says)
			}
		})
	}
}

func (m *machine) remove(name string) {
	m.t.Helper()
	if err := os.Remove(filepath.Join(m.root, name)); err != nil {
		m.t.Fatal(err)
	}
}

func TestDown(t *testing.T) {
	calls, failure := newMachine(t).run("down.sh")
	if diff := cmp.Diff([]string{"kind delete cluster --name l2sm"}, calls); diff != "" || failure != "" {
		t.Errorf("calls (-want +got):\n%s%s", diff, failure)
	}
}
