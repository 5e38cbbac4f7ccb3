//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What scenarios kill, as pgrep -f finds it on a node.
const (
	controllerProgram = "^/usr/bin/l2sm-controller( -|$)"
	agentProgram      = "^/usr/bin/l2sm-agent( -|$)"
	ovnController     = "^ovn-controller unix:"
	switchDaemon      = "^ovs-vswitchd unix:"
	switchDatabase    = "^ovsdb-server --remote=punix:/run/openvswitch/"
	northd            = "^ovn-northd "
	northbound        = "^ovsdb-server --remote=punix:/run/ovn/ovnnb_db"
	southbound        = "^ovsdb-server --remote=punix:/run/ovn/ovnsb_db"
)

// processes are a program's on a node, whose PID namespace is its own.
func processes(node, program string) []string {
	out, _ := lab("node", node, "pgrep", "-f", program) // it fails where it finds none
	return strings.Fields(out)
}

// send sends a signal to a program on a node, and returns whom it reached.
func send(t *testing.T, signal, name, program string) []string {
	t.Helper()
	pids := processes(name, program)
	if len(pids) == 0 {
		t.Fatalf("nothing on node %s is %q", name, program)
	}
	// One that has ended by itself meanwhile, as a program's short-lived child, is no failure.
	node(t, name, "sh", "-c", fmt.Sprintf("for p in %s; do kill -%s $p || [ ! -d /proc/$p ] || exit 1; done", strings.Join(pids, " "), signal))
	return pids
}

// kill ends a program on a node with SIGKILL and waits until the kubelet has
// started its successor.
func kill(t *testing.T, name, program string) {
	t.Helper()
	killed := send(t, "KILL", name, program)
	eventually(t, fmt.Sprintf("%q runs again on %s", program, name), func() error {
		return another(killed, processes(name, program))
	})
}

// another says whether processes have taken the place of others.
func another(former, now []string) error {
	if len(now) == 0 || slices.ContainsFunc(now, func(p string) bool { return slices.Contains(former, p) }) {
		return fmt.Errorf("there is %v, before there was %v", now, former)
	}
	return nil
}

// system runs kubectl in l2sm's own namespace; it must succeed.
func system(t *testing.T, args ...string) string {
	t.Helper()
	out, err := kubectl(append([]string{"-n", "l2sm-system"}, args...)...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// centralNode is where OVN's databases run.
func centralNode(t *testing.T) string {
	t.Helper()
	return system(t, "get", "pod", "-l", "app.kubernetes.io/name=ovn-central", "-o", "jsonpath={.items[0].spec.nodeName}")
}

// leader is the identity of the controller that is elected: its pod and a UUID.
func leader(t *testing.T) string {
	t.Helper()
	return system(t, "get", "lease", "l2sm-controller", "-o", "jsonpath={.spec.holderIdentity}")
}

// sbtry asks ovn-central's southbound database, nbtry its northbound one: each may
// be away.
func sbtry(args ...string) (string, error) {
	return asked("", "sb", append([]string{"ovn-sbctl", "--timeout=5"}, args...)...)
}

func nbtry(args ...string) (string, error) {
	return asked("", "nb", append([]string{"ovn-nbctl", "--timeout=5"}, args...)...)
}

// chassis are the names of the nodes that are connected to OVN, in their order. Rows of
// Chassis say less: the controller writes them as well.
func chassis() (string, error) {
	out, err := sbtry("--bare", "--columns=name", "list", "Chassis_Private")
	return strings.Join(sorted(strings.Fields(out)), " "), err
}

// power stops or starts a node, or the API server.
func power(t *testing.T, action, what string) {
	t.Helper()
	if out, err := lab(action, what); err != nil {
		t.Fatalf("%s %s: %v\n%s", action, what, err, out)
	}
}

// words reads a JSON list of strings.
func words(list string) []string {
	var words []string
	if err := json.Unmarshal([]byte(list), &words); err != nil {
		panic(err)
	}
	return words
}
