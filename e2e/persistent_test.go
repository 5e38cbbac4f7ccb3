//go:build e2e || conformance

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// statefulSet is one toolbox, db-0, with an annotation or without.
func statefulSet(node, networks string) string {
	return fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {"selector": {"matchLabels": {"app": "db"}}, "serviceName": "db",
	"template": {"metadata": {"labels": {"app": "db"}, "annotations": {"l2sm.io/networks": %q}}, "spec": {"terminationGracePeriodSeconds": 0, "nodeSelector": {"kubernetes.io/hostname": %q},
	"containers": [{"name": "toolbox", "image": %q, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "infinity"]}]}}}}`, networks, node, toolbox)
}

// A user's attachment gives each pod of a StatefulSet's name the same MAC and
// addresses, on whatever node; between two pods it keeps them.
func TestPersistentAttachment(t *testing.T) {
	for name, networks := range map[string]string{"unasked": "", "adopted by annotation": "net"} {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t)
			s.apply(network("net", "10.120.0.0/24", "fd12::/64"),
				attachment("db", "db-0", "net", ""),
				pod{name: "peer", node: nodes(t)[2], networks: "net"}.String(),
				statefulSet(nodes(t)[0], networks))
			s.kubectl("rollout", "status", "sts/db", "--timeout=80s")
			s.ready("peer")
			s.attached("db")
			identity := func() string {
				return s.exec("db-0", "cat /sys/class/net/net1/address; ip -o addr show dev net1 scope global | awk '{print $4}'")
			}
			s.links("db-0", "net1")
			before := identity()
			s.reaches("peer", s.address("db-0", "net1", 4))

			s.kubectl("delete", "pod", "db-0")
			s.kubectl("rollout", "status", "sts/db", "--timeout=80s")
			s.links("db-0", "net1")
			s.expect(identity(), before)
			s.reaches("peer", s.address("db-0", "net1", 6))

			s.kubectl("scale", "sts/db", "--replicas=0")
			s.kubectl("wait", "--for=delete", "--timeout=80s", "pod/db-0")
			s.says("False:NoPod", "get", "l2att", "db", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}:{.status.conditions[?(@.type=="Ready")].reason}`)
			s.eventually("no port without a pod", func() error { return mentions(nbctl(t, nodes(t)[0], "show", "l2sm/"+s.namespace+"/net"), "/db") })
			address := strings.Fields(before)[1]
			s.apply(pod{name: "thief", networks: static("net", address)}.String())
			s.says("taken by", "get", "events", "--field-selector", "involvedObject.name=thief,reason=AddressTaken")
			s.kubectl("delete", "pod", "thief")

			s.apply(statefulSet(nodes(t)[1], networks))
			s.kubectl("scale", "sts/db", "--replicas=1")
			s.kubectl("rollout", "status", "sts/db", "--timeout=80s")
			s.attached("db")
			s.links("db-0", "net1")
			s.expect(identity(), before)
			s.reaches("peer", s.address("db-0", "net1", 4))
			if n := len(strings.Fields(s.kubectl("get", "l2att", "-o", "name", "--field-selector", "spec.podName=db-0"))); n != 1 {
				s.Errorf("want one attachment of db-0, there are %d", n)
			}
		})
	}
}
