package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	t.Setenv("NODE_NAME", "")
	root := newRoot()
	root.SetArgs(nil)
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "--node-name is missing") {
		t.Errorf("without a node it says %v: an edge's caches, Lease and port are its node's", err)
	}
}

func TestHelpTeaches(t *testing.T) {
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs([]string{"--help"})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"NODE_NAME", "br-edge", "EVPN", "NET_BIND_SERVICE", "--bgp-port"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("--help does not mention %q:\n%s", word, out.String())
		}
	}
}

// The agent is on every node, and BGP is for the few that are edges.
func TestAgentSpeaksNoBGP(t *testing.T) {
	for _, program := range []string{"../agent", "../controller", "../cni"} {
		out, err := exec.Command("go", "list", "-deps", program).Output()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "github.com/osrg/gobgp") {
			t.Errorf("%s imports GoBGP", program)
		}
	}
}
