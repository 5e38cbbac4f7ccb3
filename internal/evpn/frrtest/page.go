package frrtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Conf is a configuration as docs/evpn.md has it, by the name in the comment above it:
// reflector or vtep. It is for 192.0.2.1 and 192.0.2.2, edges, and 192.0.2.9, FRR;
// pairs of old and new say what else they should be.
func Conf(t testing.TB, name string, pairs ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(module(t), "docs", "evpn.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(b), "<!-- frr: "+name+" -->\n```\n")
	text, _, closed := strings.Cut(after, "```\n")
	if !found || !closed {
		t.Fatalf("docs/evpn.md has no configuration %q", name)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// module is the folder of go.mod. Tests run in their package's.
func module(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above the working folder")
	return ""
}
