package main

import (
	"os/exec"
	"strings"
	"testing"
)

// There is an agent on every node. What its program is made of is in each node's
// memory, and one import of these would double it.
func TestProgramStaysSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, large := range []string{"sigs.k8s.io/controller-runtime", "k8s.io/apiserver", "k8s.io/apiextensions-apiserver", "github.com/google/cel-go"} {
		for dep := range strings.Lines(string(out)) {
			if strings.HasPrefix(dep, large) {
				t.Fatalf("the agent imports %s: go list -deps -f '{{.ImportPath}} {{.Imports}}' ./cmd/agent says who does", large)
			}
		}
	}
}
