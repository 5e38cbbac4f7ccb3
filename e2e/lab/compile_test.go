package lab

import (
	"bytes"
	"strings"
	"testing"
)

func TestCompileFails(t *testing.T) {
	b, err := corednsModule.locate(Cache(t.TempDir()), newRepository(t, map[string]string{
		"e2e/lab/build/coredns/go.mod":  "module b\n\ngo 1.26.0\n",
		"e2e/lab/build/coredns/main.go": "package main\n\nfunc main() { undefined() }\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	err = b.ensure(t.Context(), newProgress(&bytes.Buffer{}))
	for _, want := range []string{"compile CoreDNS", "undefined", "run it again"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// Packages are counted, and lines of errors kept, however the go command's output is cut up.
func TestPackageCount(t *testing.T) {
	var c packageCount
	for _, part := range []string{"k8s.io/api", "/core/v1\nfmt\n# example.com/x\nx.go:3:1: unde", "fined: y\n"} {
		if _, err := c.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.done.Load(); got != 2 {
		t.Errorf("counted %d packages, want 2", got)
	}
	if want := "# example.com/x\nx.go:3:1: undefined: y\n"; c.rest.String() != want {
		t.Errorf("kept %q, want %q", c.rest.String(), want)
	}
}
