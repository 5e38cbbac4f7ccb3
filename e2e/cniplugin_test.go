//go:build e2e

package e2e

// Lab only: it calls the CNI plugin in a node's own file system.

import "testing"

// The CNI plugin itself, run by hand on a node.
func TestCNIPluginOnBadInput(t *testing.T) {
	s := newScenario(t)
	n := nodes(t)[0]
	add := "CNI_COMMAND=ADD CNI_CONTAINERID=e2e CNI_NETNS=/proc/self/ns/net CNI_IFNAME=net1 CNI_PATH=/opt/cni/bin CNI_ARGS='K8S_POD_NAMESPACE=" + s.namespace + ";K8S_POD_NAME=nobody;K8S_POD_UID=0' "
	s.expect(node(t, n, "sh", "-c", "echo rubbish | "+add+"/opt/cni/bin/l2sm || true"), `"code"`, "invalid")
	s.expect(node(t, n, "sh", "-c", `echo '{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm"}' | `+add+`/opt/cni/bin/l2sm || true`), `"code"`, "nobody")
	// A node whose agent is dead: the same plugin where its socket is not.
	dead := "mount -t tmpfs none /run/l2sm && echo '{\"cniVersion\":\"1.1.0\",\"name\":\"l2sm\",\"type\":\"l2sm\"}' | " + add + "/opt/cni/bin/l2sm || true"
	s.expect(node(t, n, "unshare", "--mount", "sh", "-c", dead), `"code": 11`, "/run/l2sm/cni.sock", "l2sm-agent")
	s.expect(node(t, n, "sh", "-c", `echo '{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm"}' | CNI_COMMAND=STATUS CNI_PATH=/opt/cni/bin /opt/cni/bin/l2sm && echo fine`), "fine")
}
