//go:build e2e && nri

// These scenarios need a cluster without Multus whose container runtime offers
// NRI: steps.sh brings one up, and runs the quick ones of the others on it, too.

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// looks is a pod whose first instruction looks for an address on net1: it fails
// where there is none.
func looks(name, node, networks string) pod {
	return pod{name: name, node: node, networks: networks, command: []string{"sh", "-c", "ip -4 -o addr show dev net1 | grep inet"}}
}

// ends waits until a pod that looks has run to its end.
func (s *scenario) ends(name, phase string) {
	s.Helper()
	s.says(phase, "get", "pod", name, "-o", "jsonpath={.status.phase}")
}

// A pod whose network is missing waits without any of its containers, in one
// sandbox, and says why; all other pods of the node start meanwhile.
func TestNRIWaitingPodDelaysNoOther(t *testing.T) {
	s := newLoneScenario(t)
	n := nodes(t)[0]
	s.apply(network("net", "10.180.0.0/24"), looks("warm", n, "net").String())
	s.ends("warm", "Succeeded")
	s.kubectl("delete", "pod", "warm")
	before := sandboxes(t, n)
	s.apply(pod{name: "early", node: n, networks: "late"}.String())
	s.says(`network "`+s.namespace+`/late"`, "get", "events", "--field-selector", "involvedObject.name=early,reason=Failed")
	began := time.Now()
	for i := range 3 {
		other := fmt.Sprintf("other-%d", i)
		s.apply(looks(other, n, "net").String())
		s.ends(other, "Succeeded")
	}
	t.Logf("three pods ran, one by one, in %s beside one that waits", time.Since(began).Round(time.Millisecond))
	if state := s.kubectl("get", "pod", "early", "-o", "jsonpath={.status.containerStatuses[0].state.waiting.reason}"); state != "CreateContainerError" {
		s.Errorf("a pod without its network waits for %q", state)
	}
	s.kubectl("delete", "pod", "other-0", "other-1", "other-2")
	s.eventually("one sandbox more than before", func() error { return differs(fmt.Sprint(before+1), fmt.Sprint(sandboxes(t, n))) })
	s.apply(network("late", "10.181.0.0/24"))
	s.ready("early")
	s.address("early", "net1", 4)
}

// sandboxes counts those of a node that are there, whoever knows of them.
func sandboxes(t *testing.T, name string) int {
	t.Helper()
	return len(strings.Fields(node(t, name, "pgrep", "-x", "pause")))
}

// While the agent is away no pod waits for it, and what started is attached when it
// is back. While it hangs the runtime waits its two seconds, once.
func TestNRIAgentAwayAndHanging(t *testing.T) {
	s := newLoneScenario(t)
	n := nodes(t)[0]
	s.apply(network("net", "10.182.0.0/24"), pod{name: "peer", node: nodes(t)[1], networks: "net"}.String())
	s.ready("peer")
	func() {
		send(t, "STOP", n, agentProgram)
		defer send(t, "CONT", n, agentProgram)
		s.apply(pod{name: "hung", node: n, networks: "net"}.String())
		s.ready("hung")
		if links := s.exec("hung", "ls /sys/class/net"); strings.Contains(links, "net1") {
			s.Errorf("an agent that does nothing has attached: %s", links)
		}
	}()
	s.links("hung", "net1")
	s.reaches("hung", s.address("peer", "net1", 4))
	s.eventually("the runtime tells the agent of pods again", func() error {
		name := fmt.Sprintf("again-%d", time.Now().UnixMilli())
		s.apply(looks(name, n, "net").String())
		s.says(name, "get", "pods", "--field-selector", "status.phase!=Pending,status.phase!=Running", "-o", "name")
		return differs("Succeeded", s.kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}"))
	})

	var pods, names []string
	for i := range 4 {
		names = append(names, fmt.Sprintf("beside-%d", i))
		pods = append(pods, pod{name: names[i], node: n, networks: "net"}.String())
	}
	s.apply(pods...)
	kill(t, n, agentProgram)
	s.ready(names...)
	for _, name := range names {
		s.links(name, "net1")
		s.wiredOnce(name)
		s.reaches(name, s.address("peer", "net1", 4))
	}
}

// The agent connects again to a runtime that was restarted.
func TestNRIRuntimeRestarted(t *testing.T) {
	s := newLoneScenario(t)
	n := nodes(t)[0]
	s.apply(network("net", "10.183.0.0/24"), pod{name: "live", node: n, networks: "net"}.String())
	s.ready("live")
	former := send(t, "KILL", n, "containerd --config")
	s.eventually("the runtime is back", func() error { return another(former, processes(n, "containerd --config")) })
	s.eventually("a pod is attached before it starts", func() error {
		name := fmt.Sprintf("next-%d", time.Now().UnixMilli())
		s.apply(looks(name, n, "net").String())
		s.says(name, "get", "pods", "--field-selector", "status.phase!=Pending,status.phase!=Running", "-o", "name")
		return differs("Succeeded", s.kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}"))
	})
	s.links("live", "net1")
}
