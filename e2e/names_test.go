//go:build e2e || conformance

package e2e

// Needs Multus.

import (
	"strings"
	"testing"
)

// A network may be called whatever Kubernetes lets it be called: a name as long
// as any, one with dots, one that is a number or a word of the kernel's.
func TestNamesOfNetworks(t *testing.T) {
	s := newScenario(t)
	long := strings.Repeat(strings.Repeat("n", 61)+".", 3) + strings.Repeat("n", 60) // of 246 characters
	names := map[string]string{"long": long, "dots": "a.b.c", "number": "1234", "all": "all"}
	var objects []string
	for label, name := range names {
		objects = append(objects, network(`"`+name+`"`, "10.152.0.0/24"),
			pod{name: label + "-own", node: nodes(t)[0], networks: name}.String(),
			pod{name: label + "-multus", node: nodes(t)[1], multus: `[{"name": "` + name + `"}]`}.String())
	}
	s.apply(objects...)
	for label := range names {
		s.ready(label+"-own", label+"-multus")
		s.pings(label+"-own", s.address(label+"-multus", "net1", 4))
	}
	s.kubectl("delete", "pods", "--all")
	s.kubectl("delete", "l2net", "--all", "--timeout=60s")
	s.expectNoTrace()
}

// In a plain list Multus reads no name with dots, and says so to its log alone.
func TestDotsInAPlainMultusList(t *testing.T) {
	s := newScenario(t)
	s.apply(network("a.b.c", "10.152.0.0/24"), pod{name: "plain", multus: "a.b.c"}.String())
	s.says(`[{"name": "a.b.c"}]`, "get", "events", "--field-selector", "involvedObject.name=plain,reason=InvalidNetworks")
}
