//go:build e2e || conformance

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// attached waits until an L2Attachment is wired.
func (s *scenario) attached(name string) {
	s.Helper()
	s.kubectl("wait", "--for=condition=Ready", "--timeout=80s", "l2att/"+name)
}

// links waits until a pod has these interfaces beside lo and eth0.
func (s *scenario) links(pod string, want ...string) {
	s.Helper()
	s.eventually(fmt.Sprintf("pod %s has the interfaces %v", pod, want), func() error {
		var got []string
		for _, l := range strings.Fields(s.exec(pod, "ls /sys/class/net")) {
			if l != "lo" && l != "eth0" {
				got = append(got, l)
			}
		}
		return differs(strings.Join(sorted(want), " "), strings.Join(sorted(got), " "))
	})
}

// networkStatus waits until a pod's network-status names these interfaces beside
// its main network's.
func (s *scenario) networkStatus(pod string, want ...string) {
	s.Helper()
	s.eventually(fmt.Sprintf("network-status of pod %s names %v", pod, want), func() error {
		text := s.kubectl("get", "pod", pod, "-o", `jsonpath={.metadata.annotations.k8s\.v1\.cni\.cncf\.io/network-status}`)
		var entries []struct{ Name, Interface string }
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			return fmt.Errorf("read %q: %w", text, err)
		}
		var got []string
		for _, e := range entries {
			if strings.Contains(e.Name, "/") { // the main network's has none
				got = append(got, e.Interface)
			}
		}
		return differs(strings.Join(sorted(want), " "), strings.Join(sorted(got), " "))
	})
}

// An attachment that is created is plugged into its running pod, and one that
// is deleted is unplugged, again and again.
func TestHotAttachByObject(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.110.0.0/24", "fd11::/64"), network("more", "10.111.0.0/24"),
		pod{name: "live", node: nodes(t)[0]}.String(),
		pod{name: "peer", node: nodes(t)[1], networks: "net,more"}.String())
	s.ready("live", "peer")
	container := s.container("live")
	for range 3 {
		s.apply(attachment("hot", "live", "net", ""))
		s.attached("hot")
		s.links("live", "net1")
		s.networkStatus("live", "net1")
		s.pings("live", s.address("peer", "net1", 4))
		s.pings("live", s.address("peer", "net1", 6))
		s.apply(attachment("second", "live", "more", ", interface: data0"))
		s.attached("second")
		s.links("live", "net1", "data0")
		s.pings("live", s.address("peer", "net2", 4))
		s.kubectl("delete", "l2att", "hot")
		s.links("live", "data0")
		s.networkStatus("live", "data0")
		s.pings("live", s.address("peer", "net2", 4))
		s.kubectl("delete", "l2att", "second")
		s.links("live")
		s.networkStatus("live")
	}
	if now := s.container("live"); now != container {
		s.Errorf("the pod's container was %s and is %s", container, now)
	}
}

// container is the ID of a pod's container: another after a restart.
func (s *scenario) container(pod string) string {
	s.Helper()
	return s.kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].containerID}")
}

// The annotation of a running pod is edited: what it does not touch stays.
func TestHotAttachByAnnotation(t *testing.T) {
	s := newScenario(t)
	s.apply(network("red", "10.112.0.0/24"), network("blue", "10.113.0.0/24"), network("green", "10.114.0.0/24"),
		pod{name: "live", node: nodes(t)[0], networks: "red@first"}.String(),
		pod{name: "peer", node: nodes(t)[1], networks: "red,blue,green"}.String())
	s.ready("live", "peer")
	kept := s.exec("live", "cat /sys/class/net/first/ifindex /sys/class/net/first/address")
	ask := func(networks string) {
		s.kubectl("annotate", "--overwrite", "pod", "live", "l2sm.io/networks="+networks)
	}
	for range 2 {
		ask("red@first,blue@second")
		s.links("live", "first", "second")
		s.networkStatus("live", "first", "second")
		s.reaches("live", s.address("peer", "net2", 4))
		ask("red@first,green@second")
		s.reaches("live", s.address("peer", "net3", 4))
		s.links("live", "first", "second")
		ask("red@first")
		s.links("live", "first")
		s.networkStatus("live", "first")
		s.pings("live", s.address("peer", "net1", 4))
	}
	if now := s.exec("live", "cat /sys/class/net/first/ifindex /sys/class/net/first/address"); now != kept {
		s.Errorf("the interface that stayed was %q and is %q", kept, now)
	}
}

// reaches waits for a ping to be answered.
func (s *scenario) reaches(from, to string) {
	s.Helper()
	s.eventually(from+" reaches "+to, func() error {
		out, err := s.try("exec", from, "--", "ping", "-c", "1", "-W", "1", to)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// file holds an object, for commands that take no standard input.
func (s *scenario) file(object string) string {
	s.Helper()
	name := filepath.Join(s.TempDir(), "object.json")
	if err := os.WriteFile(name, []byte(object), 0o600); err != nil {
		s.Fatal(err)
	}
	return name
}
