//go:build integration

package lab

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"l2sm.io/l2sm/e2e/lab/netns"
)

// newNetworks are the networks of clusters that have nothing else.
func newNetworks(t *testing.T, cache Cache, nodes int, names ...string) []*Lab {
	t.Helper()
	var labs []*Lab
	for _, name := range names {
		p, err := newPlan(name, nodes)
		if err != nil {
			t.Fatal(err)
		}
		l := &Lab{plan: p, dir: cache.lab(name), state: state{Nodes: nodes, Complete: true}}
		if err := os.MkdirAll(l.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := Down(cache, name); err != nil {
				t.Error(err)
			}
		})
		if err := l.save(); err != nil {
			t.Fatal(err)
		}
		if err := buildNetwork(p); err != nil {
			t.Fatal(err)
		}
		labs = append(labs, l)
	}
	return labs
}

func reaches(namespace, address string) bool {
	return exec.Command("ip", "netns", "exec", namespace, "ping", "-c1", "-W2", "-Mdo", "-s1472", address).Run() == nil
}

// Two clusters that have the same addresses meet by their edges alone, until they are
// disconnected or the first one is gone.
func TestWAN(t *testing.T) {
	cache := Cache(t.TempDir())
	names := []string{"wantest-east", "wantest-west"}
	newNetworks(t, cache, 2, names...)
	connect := func() {
		t.Helper()
		nodes, err := ConnectWAN(cache, names, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := []WANNode{{"wantest-east", "n2", "eth2", "10.252.0.11"}, {"wantest-west", "n2", "eth2", "10.252.0.21"}}
		if !slices.Equal(nodes, want) {
			t.Fatalf("connected are %v, want %v", nodes, want)
		}
		if !reaches("wantest-east-n2", "10.252.0.21") || !reaches("wantest-west-n2", "10.252.0.11") {
			t.Error("edges do not reach each other with frames of 1500 bytes")
		}
	}
	connect()
	connect() // changes nothing
	if reaches("wantest-east-n1", "10.252.0.21") {
		t.Error("a node that is no edge reaches the other cluster")
	}
	if _, err := ConnectWAN(cache, names, 2); err == nil || !strings.Contains(err.Error(), "lab wan down") {
		t.Errorf("connected otherwise: %v", err)
	}

	l, err := Open(cache, names[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := l.StopNode("n1"); err != nil {
		t.Fatal(err)
	}
	if !reaches("wantest-east-n2", "10.252.0.21") {
		t.Error("the edge is cut off by the stop of a node that is none")
	}
	if err := l.StopNode("n2"); err != nil {
		t.Fatal(err)
	}
	if err := plugNode(l.plan, l.plan.Nodes[1]); err != nil {
		t.Fatal(err)
	}
	if err := l.plugNodeIntoWAN(l.plan.Nodes[1]); err != nil {
		t.Fatal(err)
	}
	if !reaches("wantest-east-n2", "10.252.0.21") {
		t.Error("an edge that was started again is not there")
	}

	for range 2 {
		if err := DisconnectWAN(cache, names); err != nil {
			t.Fatal(err)
		}
		if netns.Exists("wantest-east-wan") || reaches("wantest-east-n2", "10.252.0.21") {
			t.Error("the network is still there")
		}
	}
	connect()
	if err := Down(cache, names[0]); err != nil {
		t.Fatal(err)
	}
	if netns.Exists("wantest-east-wan") {
		t.Error("the network outlives its cluster")
	}
	if err := l.plugNodeIntoWAN(l.plan.Nodes[1]); err != nil {
		t.Errorf("a node starts without the network that is gone: %v", err)
	}
}
