//go:build integration

package edge_test

import (
	"fmt"
	"os/exec"
	"testing"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link/nstest"
)

// roads are a pod and those that it sends to: near is on another node of its cluster, far on a
// worker of another cluster, and atEdge on that one's edge.
type roads struct {
	one, other              *cluster
	from, near, far, atEdge *sidestest.Pod
}

func startRoads(b *testing.B) roads {
	b.Helper()
	w := start(b, 1, 1)
	r := roads{one: w.clusters[0], other: w.clusters[1]}
	r.one.peer("b", r.other)
	r.other.peer("a", r.one)
	r.one.network("red", 5001, "b")
	r.other.network("red", 5001, "a")
	r.one.bindTo(r.one.Edges[0])
	r.other.bindTo(r.other.Edges[0])
	r.from = r.one.pod("red", "from", "0a:58:0a:32:00:01", "10.50.0.1/24")
	r.near = r.one.Pod(r.one.Edges[0], "default/red", "0a:58:0a:32:00:02", "10.50.0.2/24")
	r.far = r.other.pod("red", "far", "0a:58:0a:32:00:03", "10.50.0.3/24")
	r.atEdge = r.other.Pod(r.other.Edges[0], "default/red", "0a:58:0a:32:00:04", "10.50.0.4/24")
	r.other.attach("red", "at-edge", "0a:58:0a:32:00:04", "10.50.0.4/24")
	r.reach()
	return r
}

func (r roads) reach() {
	for _, to := range []*sidestest.Pod{r.near, r.far, r.atEdge} {
		r.from.Reaches(to)
	}
}

// Pods in two clusters get a part of what pods on two nodes of one cluster get: what the
// edges cost.
func BenchmarkThroughput(b *testing.B) {
	r := startRoads(b)
	for b.Loop() {
		r.measure(b)
	}
}

// BenchmarkThroughputEncrypted is the same through WireGuard, with packets as small as it asks for
// on all ways.
func BenchmarkThroughputEncrypted(b *testing.B) {
	r := startRoads(b)
	for _, p := range []*sidestest.Pod{r.from, r.near, r.far, r.atEdge} {
		nstest.Do(b, p.NetNS, exec.Command("ip", "link", "set", "net1", "mtu", fmt.Sprint(sidestest.MTU-ways["IPv4"].encrypted)).Run)
	}
	for _, c := range []*cluster{r.one, r.other} {
		c.edgeIs(func(s *v1alpha1.L2EdgeSpec) { s.Encryption = v1alpha1.EncryptionWireGuard })
	}
	r.one.peerHas("b", r.other.keys(nil))
	r.other.peerHas("a", r.one.keys(nil))
	r.reach()
	for b.Loop() {
		r.measure(b)
	}
}

func (r roads) measure(b *testing.B) {
	b.Helper()
	geneve, edges, fewer := r.from.Transfer(r.near), r.from.Transfer(r.far), r.from.Transfer(r.atEdge)
	b.ReportMetric(geneve, "Mbit/s-Geneve")
	b.ReportMetric(edges/geneve, "of-it-over-edges")
	b.ReportMetric(fewer/geneve, "of-it-to-a-pod-of-the-edge")
}
