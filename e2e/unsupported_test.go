//go:build e2e

package e2e

// Lab only: it reads the metrics of the one API server.

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What the Multus annotation asks for and an L2Network does not have fails the
// pod's start, and says so: the standard demands that for portMappings (1.3,
// 4.1.2), and a user who is not told believes that he has it.
func TestUnsupportedRuntimeConfig(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.134.0.0/24"), pod{name: "fine", multus: `[{"name": "net"}]`}.String())
	bad := map[string]struct{ field, says string }{
		"ports":     {`"portMappings": [{"hostPort": 18080, "containerPort": 80, "protocol": "tcp"}]`, "portMappings"},
		"bandwidth": {`"bandwidth": {"ingressRate": 1000000, "ingressBurst": 100000, "egressRate": 1000000, "egressBurst": 100000}`, "bandwidth"},
		"claim":     {`"ipam-claim-reference": "vm1.net1"`, "ipam-claim-reference"},
		"guid":      {`"infiniband-guid": "c2:11:22:33:44:55:66:77"`, "infiniband-guid"},
		"args":      {`"cni-args": {"vlan": "12"}`, "cni-args"},
		"typo":      {`"ip": ["10.134.0.77"]`, "ip"},
	}
	var pods []string
	for name, b := range bad {
		pods = append(pods, pod{name: name, multus: `[{"name": "net", ` + b.field + `}]`}.String())
	}
	s.apply(pods...)
	for name, b := range bad {
		s.saysTwice(name, "InvalidNetworks", b.says)
	}
	s.ready("fine")
	s.pendingBut("fine")
}

// saysTwice waits until the pod is told by an event of the controller, and by
// the kubelet, which passes on the CNI plugin's error.
func (s *scenario) saysTwice(pod, reason, text string) {
	s.Helper()
	for _, reason := range []string{reason, "FailedCreatePodSandBox"} {
		s.says(text, "get", "events", "--field-selector", "involvedObject.name="+pod+",reason="+reason)
	}
}

// One of our networks can't be a pod's main one, and the pod is told so,
// whatever else it asks for.
func TestMainNetworkIsNoneOfOurs(t *testing.T) {
	s := newScenario(t)
	main := map[string]string{"v1.multus-cni.io/default-network": s.namespace + "/net"}
	s.apply(network("net", "10.135.0.0/24"))
	s.says("net", "get", "net-attach-def")
	s.apply(pod{name: "alone", annotations: main}.String(), pod{name: "asks", networks: "net", annotations: main}.String())
	for _, name := range []string{"alone", "asks"} {
		s.saysTwice(name, "MainNetwork", "main network")
	}
	s.pendingBut()
}

// Two entries of one interface name are refused with an event, and make no
// attachment over and over.
func TestInterfaceNameAskedForTwice(t *testing.T) {
	s := newScenario(t)
	s.apply(network("a", "10.188.0.0/24"), network("b", "10.189.0.0/24"))
	s.says("b", "get", "net-attach-def")
	for name, p := range map[string]pod{
		"two":  {multus: "a@x,b@x"},
		"same": {multus: "a@y,a@y"},
		"own":  {networks: "a@z,b@z"},
	} {
		p.name = name
		s.apply(p.String())
	}
	for _, name := range []string{"two", "same", "own"} {
		s.says("InvalidNetworks", "get", "events", "--field-selector", "involvedObject.name="+name)
	}
	s.pendingBut()
	before := refusedPosts(t)
	time.Sleep(3 * time.Second)
	if more := refusedPosts(t) - before; more > 30 { // a loop made 300
		s.Errorf("the API server refused %d attachments in 3 s", more)
	}

	// A running pod keeps what it has.
	s.apply(pod{name: "runs", multus: "a@net1"}.String())
	s.ready("runs")
	s.kubectl("annotate", "--overwrite", "pod", "runs", "k8s.v1.cni.cncf.io/networks=a@net1,b@net1")
	s.says("InvalidNetworks", "get", "events", "--field-selector", "involvedObject.name=runs")
	s.links("runs", "net1")
	s.says("a", "get", "l2att", "-o", `jsonpath={.items[?(@.spec.podName=="runs")].spec.network.name}`)
}

// refusedPosts is how many L2Attachments the API server has refused to create
// since some exist.
func refusedPosts(t *testing.T) int {
	t.Helper()
	out, err := kubectl("get", "--raw", "/metrics")
	if err != nil {
		t.Fatalf("get the API server's metrics: %v", err)
	}
	var all int
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "apiserver_request_total") || !strings.Contains(line, `code="409"`) ||
			!strings.Contains(line, `resource="l2attachments"`) || !strings.Contains(line, `verb="POST"`) {
			continue
		}
		var n float64
		if _, err := fmt.Sscan(line[strings.LastIndex(line, "}")+1:], &n); err != nil {
			t.Fatalf("read %q: %v", line, err)
		}
		all += int(n)
	}
	return all
}
