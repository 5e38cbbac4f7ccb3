//go:build e2e || conformance

package e2e

import (
	"testing"
)

// Who has used up a quota is told in the quota's words, on the pod and on the
// network, and is served when it is raised.
func TestQuota(t *testing.T) {
	s := newScenario(t)
	s.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {count/l2attachments.l2sm.io: "1", count/network-attachment-definitions.k8s.cni.cncf.io: "1"}}}`)
	s.says("1", "get", "quota", "q", "-o", `jsonpath={.status.hard.count/l2attachments\.l2sm\.io}`)
	s.apply(network("net", "10.146.0.0/24"))
	s.says("net", "get", "net-attach-def", "-o", "name")
	s.apply(network("more", "10.147.0.0/24"), pod{name: "first", networks: "net"}.String())
	s.ready("first")
	s.apply(pod{name: "second", networks: "net"}.String())
	for _, name := range []string{"second", "more"} {
		s.says("exceeded quota: q", "get", "events", "--field-selector", "involvedObject.name="+name+",reason=CreationRefused")
	}
	s.pendingBut("first")
	s.kubectl("patch", "quota", "q", "--type=merge", "-p", `{"spec": {"hard": {"count/l2attachments.l2sm.io": "5", "count/network-attachment-definitions.k8s.cni.cncf.io": "5"}}}`)
	s.ready("second")
	s.says("more", "get", "net-attach-def", "-o", "name")
}
