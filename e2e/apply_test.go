//go:build e2e || conformance

package e2e

import (
	"strings"
	"testing"
)

// The file that created a network and an attachment may be applied and replaced
// again, by whatever tool: what l2sm completed since stays.
func TestFilesAreAppliedAgain(t *testing.T) {
	s := newScenario(t)
	// A file, since kubectl diff and replace show what they are asked for.
	file := s.file(strings.Join([]string{network("net", "10.153.0.0/24"), attachment("hot", "live", "net", "")}, "\n---\n"))
	s.kubectl("apply", "-f", file)
	s.apply(pod{name: "live", node: nodes(t)[0]}.String(), pod{name: "peer", node: nodes(t)[1], networks: "net"}.String())
	s.ready("live", "peer")
	s.attached("hot")
	identity := func() string {
		return s.kubectl("get", "l2att", "hot", "-o", "jsonpath={.metadata.uid} {.spec.macAddress} {.spec.addresses} {.spec.interface} {.spec.podUID} {.spec.nodeName}")
	}
	before := identity()
	inPod := s.exec("live", "cat /sys/class/net/net1/ifindex /sys/class/net/net1/address")

	for _, command := range [][]string{
		{"apply", "-f", file},
		{"diff", "-f", file},
		{"replace", "-f", file},
		{"apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", file},
		{"apply", "--server-side", "--field-manager=gitops", "-f", file},
		{"diff", "--server-side", "--field-manager=gitops", "-f", file},
		{"replace", "-f", file},
	} {
		s.kubectl(command...)
		s.within(t).expect(identity(), before)
	}
	s.attached("hot")
	if now := s.exec("live", "cat /sys/class/net/net1/ifindex /sys/class/net/net1/address"); now != inPod {
		s.Errorf("the pod's interface was %q and is %q", inPod, now)
	}
	s.pings("live", s.address("peer", "net1", 4))
	s.kubectl("wait", "--for=condition=Ready", "--timeout=10s", "l2net/net")
}
