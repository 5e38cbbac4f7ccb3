//go:build conformance && !e2e

package e2e

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// kubeconfig is that of any cluster with l2sm: the scenarios of this build look at
// it by kubectl alone, and change nothing but namespaces of their own.
var kubeconfig = os.Getenv("L2SM_KUBECONFIG")

func TestMain(m *testing.M) {
	s, err := readScope(".")
	if err == nil {
		err = prepare(&s)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		os.Exit(1)
	}
	code := m.Run()
	s.tell(os.Stdout)
	os.Exit(code)
}

// prepare looks at the cluster, and leaves out what it can't show.
func prepare(s *scope) error {
	if err := usable(); err != nil {
		return err
	}
	if _, err := kubectl("get", "crd", "network-attachment-definitions.k8s.cni.cncf.io"); err == nil {
		return nil
	}
	none := s.multus
	s.spare("this cluster has no Multus", none)
	return flag.Set("test.skip", "^("+strings.Join(none, "|")+")$")
}

// usable says what a cluster lacks that is to be checked.
func usable() error {
	if kubeconfig == "" {
		return fmt.Errorf("L2SM_KUBECONFIG is not set: it names the kubeconfig of the cluster to check")
	}
	if out, err := kubectl("-n", "l2sm-system", "wait", "--for=condition=Ready", "pods", "--all", "--timeout=60s"); err != nil {
		return fmt.Errorf("l2sm's pods are not ready on the cluster of %s: see kubectl -n l2sm-system get pods: %w\n%s", kubeconfig, err, out)
	}
	if out, err := kubectl("wait", "--for=condition=Ready", "l2node", "--all", "--timeout=60s"); err != nil {
		table, _ := kubectl("get", "l2node", "-o", "wide")
		return fmt.Errorf("some nodes are not ready for l2sm: %w\n%s%s", err, out, table)
	}
	names, err := workers()
	if err != nil {
		return err
	}
	if len(names) < 2 {
		return fmt.Errorf("two nodes that take pods are needed, there are %d: %s", len(names), strings.Join(names, " "))
	}
	version, err := kubectl("version")
	if err != nil {
		return fmt.Errorf("kubectl version: %w\n%s", err, version)
	}
	fmt.Printf("conformance of the cluster of %s, with pods on %s:\n%s\n", kubeconfig, strings.Join(names[:2], " and "), version)
	return nil
}

// kubectlCommand is kubectl on the cluster that is checked.
func kubectlCommand() []string {
	return []string{envOr("KUBECTL", "kubectl"), "--kubeconfig", kubeconfig}
}

// workers are the names of the nodes that take any pod.
func workers() ([]string, error) {
	out, err := kubectl("get", "nodes", "-o", `jsonpath={range .items[*]}{.metadata.name}:{.spec.unschedulable}:{.spec.taints[*].effect}{"\n"}{end}`)
	if err != nil {
		return nil, fmt.Errorf("get nodes: %w\n%s", err, out)
	}
	var names []string
	for line := range strings.Lines(out) {
		if name, free := strings.CutSuffix(strings.TrimSpace(line), "::"); free {
			names = append(names, name)
		}
	}
	return names, nil
}

// nodes are those of workers.
func nodes(t *testing.T) []string {
	t.Helper()
	names, err := workers()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// node runs a command in the node's own network namespace, with the programs of
// OVN's image: ovn-node's pod is there.
func node(t *testing.T, name string, command ...string) string {
	t.Helper()
	pod, err := ovnNode(name)
	if err != nil {
		t.Fatal(err)
	}
	return inPod(t, append([]string{pod, "-c", "ovs-vswitchd", "--"}, command...)...)
}

func inPod(t *testing.T, args ...string) string {
	t.Helper()
	out, err := kubectl(append([]string{"-n", "l2sm-system", "exec"}, args...)...)
	if err != nil {
		t.Fatalf("kubectl exec %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
