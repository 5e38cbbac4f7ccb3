//go:build e2e || conformance

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// zoned says whether each node has OVN databases of its own, in the pod of ovn-node
// (fabric Zones). Otherwise ovn-central has one of each for all.
var zoned = sync.OnceValues(func() (bool, error) {
	out, err := kubectl("-n", "l2sm-system", "get", "deployment", "ovn-central", "-o", "name", "--ignore-not-found")
	if err != nil {
		return false, fmt.Errorf("find ovn-central: %w: %s", err, out)
	}
	return strings.TrimSpace(out) == "", nil
})

// zones are nodes by which each northbound database is asked once.
func zones(t *testing.T) []string {
	t.Helper()
	each, err := zoned()
	if err != nil {
		t.Fatal(err)
	}
	if each {
		return nodes(t)
	}
	return nodes(t)[:1]
}

// asked runs a command in the container, nb or sb, of the database that a node's
// networks are in. It may be away.
func asked(name, container string, command ...string) (string, error) {
	each, err := zoned()
	if err != nil {
		return "", err
	}
	pod := "deploy/ovn-central"
	if each {
		if pod, err = ovnNode(name); err != nil {
			return "", err
		}
	}
	return kubectl(append([]string{"-n", "l2sm-system", "exec", pod, "-c", container, "--"}, command...)...)
}

// ovnNode is the pod of ovn-node on a node.
func ovnNode(name string) (string, error) {
	pod, err := kubectl("-n", "l2sm-system", "get", "pod", "-l", "app.kubernetes.io/name=ovn-node", "--field-selector", "spec.nodeName="+name, "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil || pod == "" {
		return "", fmt.Errorf("find ovn-node on %s: %w: %q", name, err, pod)
	}
	return pod, nil
}

// nbctl asks the northbound database that a node's networks are in.
func nbctl(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := asked(name, "nb", append([]string{"ovn-nbctl"}, args...)...)
	if err != nil {
		t.Fatalf("ovn-nbctl %s, for node %s: %v\n%s", strings.Join(args, " "), name, err, out)
	}
	return out
}
