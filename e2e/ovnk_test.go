//go:build e2e && ovnk

// These scenarios need a cluster of OVN-Kubernetes with l2sm inside it: steps.sh
// brings one up, and runs the quick ones of the others on it, too.

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What scenarios kill beside OVN's own programs, as pgrep -f finds it on a node.
const ovnkube = "^ovnkube --init-ovnkube-controller"

// theirSweep is how often ovnkube looks for interfaces and rows that it holds for
// left over, and somewhat more.
const theirSweep = 65 * time.Second

// theirNetwork is a layer-2 secondary network of OVN-Kubernetes.
func (s *scenario) theirNetwork(name, subnet string) string {
	return fmt.Sprintf(`{"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition", "metadata": {"name": %[1]q}, "spec": {"config":
		"{\"cniVersion\": \"1.0.0\", \"name\": \"%[2]s-%[1]s\", \"type\": \"ovn-k8s-cni-overlay\", \"topology\": \"layer2\", \"subnets\": \"%[3]s\", \"mtu\": 1400, \"netAttachDefName\": \"%[2]s/%[1]s\"}"}}`,
		name, s.namespace, subnet)
}

// A network of ours and one of theirs have the same subnet and the same
// addresses: both work, and neither hears the other.
func TestOVNKNetworksAreIsolated(t *testing.T) {
	s := newScenario(t)
	s.apply(network("ours", "10.195.0.0/24"), s.theirNetwork("theirs", "10.195.0.0/24"))
	for i := range 2 {
		s.apply(pod{name: fmt.Sprint("theirs", i), node: nodes(t)[i], multus: "theirs"}.String())
	}
	s.ready("theirs0", "theirs1")
	for i := range 2 { // the addresses that theirs have; the MACs made of these are equal too, and would tell nothing
		address := s.address(fmt.Sprint("theirs", i), "net1", 4)
		ask := fmt.Sprintf(`[{"name": "ours", "mac": "02:ed:00:00:00:0%d", "ips": [%q]}]`, i, address)
		s.apply(pod{name: fmt.Sprint("ours", i), node: nodes(t)[i], networks: ask}.String())
	}
	s.ready("ours0", "ours1")
	for from, to := range map[string]string{"theirs": "ours", "ours": "theirs"} {
		foreign := fmt.Sprintf("ether src %s or ether src %s", s.mac(from+"0"), s.mac(from+"1"))
		for _, ear := range []string{to + "0", to + "1"} {
			s.exec(ear, fmt.Sprintf("tcpdump --immediate-mode -U -w /tmp/cap -i net1 '%s' > /tmp/log 2>&1 & echo $! > /tmp/pid; until grep -q listening /tmp/log; do sleep 0.05; done", foreign))
		}
		s.pings(from+"0", s.address(from+"1", "net1", 4))
		s.exec(from+"0", "ping -c 3 -i 0.2 -W 1 -b -I net1 10.195.0.255; ping -c 3 -i 0.2 -W 1 10.195.0.99 || true")
		for _, ear := range []string{to + "0", to + "1"} {
			s.exec(ear, "kill -INT $(cat /tmp/pid); until grep -q 'packets\\? captured' /tmp/log; do sleep 0.05; done")
			if out := s.exec(ear, "cat /tmp/log"); !strings.Contains(out, "0 packets captured") {
				s.Errorf("%s heard %s:\n%s\n%s", ear, from, out, s.exec(ear, "tcpdump -enr /tmp/cap 2>/dev/null"))
			}
		}
	}
}

// At its start ovnkube removes the switches of nodes that are gone, and any that
// looks like one. Every minute it removes interfaces that it holds for left over.
func TestOVNKubeRestart(t *testing.T) {
	s := newLoneScenario(t)
	s.pair(nodes(t)[0], nodes(t)[1])
	before := s.switches()
	f := s.losesNothing(func() {
		for _, n := range nodes(t) {
			kill(t, n, ovnkube)
		}
		ovnKubernetes(t, "rollout", "status", "ds/ovnkube-node", "--timeout=80s")
		s.stillServes()
		time.Sleep(theirSweep)
	})
	s.report("ovnkube of all nodes killed (-9), and its sweep passed", "switches, ports, flows", f)
	if err := sameLines(before, s.switches()); err != nil {
		s.Errorf("the switches are not those from before: %v", err)
	}
}

// A zone's pod is replaced, as when OVN-Kubernetes is upgraded: databases, northd,
// ovn-controller and ovnkube end and start again.
func TestOVNKubeNodeReplaced(t *testing.T) {
	s := newLoneScenario(t)
	first := nodes(t)[0]
	s.pair(first, nodes(t)[1])
	before := s.switches()
	f := s.losesNothing(func() {
		_, former, err := zonePod(first)
		if err != nil {
			t.Fatal(err)
		}
		ovnKubernetes(t, "delete", "pod", former)
		ovnKubernetes(t, "rollout", "status", "ds/ovnkube-node", "--timeout=80s")
		s.stillServes()
	})
	s.report("the pod ovnkube-node of a node replaced", "databases, switches, ports, flows", f)
	if err := sameLines(before, s.switches()); err != nil {
		s.Errorf("the switches are not those from before: %v", err)
	}
}

// A zone's databases are lost: OVN-Kubernetes writes its part when ovnkube starts
// again, and the agent ours. northd does not wait for either.
func TestOVNKZoneWiped(t *testing.T) {
	s := newLoneScenario(t)
	first := nodes(t)[0]
	s.pair(first, nodes(t)[1])
	f := s.breaksFor(3*time.Second, func() {
		wipe(t, first, southbound, "/var/lib/ovn-kubernetes/ovn/sb.db")
		wipe(t, first, northbound, "/var/lib/ovn-kubernetes/ovn/nb.db")
		kill(t, first, ovnkube)
		ovnKubernetes(t, "rollout", "status", "ds/ovnkube-node", "--timeout=80s")
		s.stillServes()
	})
	s.report("both databases of a zone wiped", "pods and their interfaces; written again from the API, with the same keys", f)
}

// What is OVN-Kubernetes' of a node's Open vSwitch is as it made it, and of bridges
// there are its own alone.
func TestOVNKOpenVSwitchIsTheirs(t *testing.T) {
	s := newScenario(t)
	n := nodes(t)[0]
	settings := func() string {
		return node(t, n, "ovs-vsctl", "get", "Open_vSwitch", ".", "external_ids") + node(t, n, "ovs-vsctl", "list-br")
	}
	before := settings()
	s.apply(network("net", "10.196.0.0/24"), pod{name: "pod", node: n, networks: "net"}.String())
	s.ready("pod")
	if after := settings(); after != before {
		s.Errorf("the node's Open vSwitch was\n%sand is\n%s", before, after)
	}
	chassis := s.kubectl("get", "node", n, "-o", `jsonpath={.metadata.annotations.k8s\.ovn\.org/node-chassis-id}`)
	if said := s.kubectl("get", "l2node", n, "-o", "jsonpath={.status.chassis}"); strings.Trim(chassis, `"`) != said {
		s.Errorf("the node's chassis is %s to OVN-Kubernetes, and %q to l2sm", chassis, said)
	}
}

func (s *scenario) mac(pod string) string {
	s.Helper()
	return s.exec(pod, "cat /sys/class/net/net1/address")
}

// switches are those of the scenario in all zones, with their identity and key.
func (s *scenario) switches() string {
	s.Helper()
	var all []string
	for _, zone := range nodes(s.T) {
		out := nbctl(s.T, zone, "--format=csv", "--no-headings", "--columns=name,_uuid,other_config", "list", "Logical_Switch")
		for line := range strings.Lines(out) {
			if strings.Contains(line, "l2sm/"+s.namespace+"/") {
				all = append(all, zone+" "+line)
			}
		}
	}
	return strings.Join(sorted(all), "")
}

// ovnKubernetes runs kubectl in OVN-Kubernetes' namespace; it must succeed.
func ovnKubernetes(t *testing.T, args ...string) {
	t.Helper()
	if out, err := kubectl(append([]string{"-n", "ovn-kubernetes"}, args...)...); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
