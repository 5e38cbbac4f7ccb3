//go:build e2e || conformance

package e2e

// Needs Multus.

import (
	"fmt"
	"testing"
)

// The Multus annotation of a running pod is edited: what stays in it keeps its
// interface, whatever place it has in the list now.
func TestHotAttachByMultusAnnotation(t *testing.T) {
	s := newScenario(t)
	s.apply(network("a", "10.156.0.0/24"), network("b", "10.157.0.0/24"), network("c", "10.158.0.0/24"))
	for _, name := range []string{"a", "b", "c"} {
		s.says(name, "get", "net-attach-def", "-o", "name")
	}
	s.apply(pod{name: "peer", node: nodes(t)[1], networks: "a, b, c"}.String(),
		pod{name: "two", node: nodes(t)[0], multus: "a,b"}.String(),
		pod{name: "none", node: nodes(t)[0]}.String())
	s.ready("peer", "two", "none")
	ask := func(pod, networks string) {
		s.kubectl("annotate", "--overwrite", "pod", pod, "k8s.v1.cni.cncf.io/networks="+networks)
	}
	identity := func(pod, iface string) string {
		return s.exec(pod, fmt.Sprintf("cat /sys/class/net/%[1]s/ifindex /sys/class/net/%[1]s/address; ip -o -4 addr show dev %[1]s | awk '{print $4}'", iface))
	}

	// Wired as it started: the first of two goes.
	before := identity("two", "net2")
	ask("two", "b")
	s.links("two", "net2")
	s.networkStatus("two", "net2")
	ask("two", "b,c") // and another comes
	s.eventually("two has an interface on c", func() error {
		_, err := s.try("exec", "two", "--", "ping", "-c", "1", "-W", "1", s.address("peer", "net3", 4))
		return err
	})
	if now := identity("two", "net2"); now != before {
		s.Errorf("the interface on b was %q and is %q", before, now)
	}
	s.pings("two", s.address("peer", "net2", 4))
	ask("two", "")
	s.links("two")

	// A pod that had none.
	ask("none", "a")
	s.links("none", "net1")
	s.reaches("none", s.address("peer", "net1", 4))
	ask("none", "b") // one for another
	s.reaches("none", s.address("peer", "net2", 4))
	// Its name is the first that was free: the other may have been there still.
	s.networkStatus("none", s.kubectl("get", "l2att", "--field-selector=spec.podName=none", "-o", "jsonpath={.items[*].spec.interface}"))
}

func TestMultusAnnotationAlone(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.91.0.0/24"))
	s.says("True", "get", "l2net", "net", "-o", `jsonpath={.status.conditions[?(@.type=="Programmed")].status}`)
	s.apply(pod{name: "plain", node: nodes(t)[0], multus: "net"}.String(),
		pod{name: "asks", node: nodes(t)[1], multus: `[{"name": "net", "ips": ["10.91.0.9"], "interface": "data0"}]`}.String())
	s.ready("plain", "asks")
	s.pings("plain", "10.91.0.9")
	s.pings("asks", s.address("plain", "net1", 4), "-I data0")
	s.says(`"name": "`+s.namespace+`/net"`, "get", "pod", "asks", "-o", `jsonpath={.metadata.annotations.k8s\.v1\.cni\.cncf\.io/network-status}`)
}
