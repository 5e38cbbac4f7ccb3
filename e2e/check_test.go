//go:build e2e

package e2e

// Lab only: it asks the container runtime on a node.

import (
	"fmt"
	"strings"
	"testing"
)

// CRI-O calls CHECK as soon as ADD is done; Multus passes it on for the main network alone. So the plugin is run by hand, in
// the sandbox that the node's runtime made.
func TestCheckAfterADD(t *testing.T) {
	s := newScenario(t)
	n := nodes(t)[0]
	s.apply(network("net", "10.37.0.0/24"), pod{name: "checked", node: n, networks: "net"}.String())
	s.ready("checked")
	check := func() string {
		return node(t, n, "sh", "-c", s.callOf(n, "checked")+`
			export CNI_COMMAND=CHECK CNI_PATH=/opt/cni/bin
			config='{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm","prevResult":{"cniVersion":"1.1.0"}}'
			if echo "$config" | /opt/cni/bin/l2sm; then echo as ADD made it; fi`)
	}
	s.expect(check(), "as ADD made it")
	node(t, n, "sh", "-c", s.callOf(n, "checked")+`nsenter --net="$CNI_NETNS" ip link set net1 mtu 1300`)
	s.expect(check(), `"code"`, "net1", "1300")
}

// callOf is the environment of the ADD that wired the pod, as Open vSwitch remembers it.
func (s *scenario) callOf(n, pod string) string {
	s.Helper()
	recorded := func(key string) string {
		out := node(s.T, n, "ovs-vsctl", "--bare", "--columns=external_ids", "find", "Interface",
			`external_ids:"l2sm.io/pod-namespace"=`+s.namespace, `external_ids:"l2sm.io/pod"=`+pod)
		for field := range strings.FieldsSeq(out) {
			if value, ok := strings.CutPrefix(strings.Trim(field, `"`), key+"="); ok {
				return strings.Trim(value, `"`)
			}
		}
		s.Fatalf("Open vSwitch on %s has no %s of pod %s: %s", n, key, pod, out)
		return ""
	}
	uid := s.kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.uid}")
	return fmt.Sprintf("export CNI_CONTAINERID=%s CNI_NETNS=%s CNI_IFNAME=net1 CNI_ARGS='K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=%s';",
		recorded("l2sm.io/container"), recorded("l2sm.io/netns"), s.namespace, pod, uid)
}
