package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A name that no scenario has would make the quick set smaller, and `go test -run` says nothing of it.
func TestQuickSetExists(t *testing.T) {
	lists, err := filepath.Glob("quick*.txt")
	if err != nil || len(lists) < 3 {
		t.Fatalf("want quick.txt and those of other clusters, found %v: %v", lists, err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	scenarios := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(string(source), -1) {
			scenarios[m[1]] = true
		}
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		names := 0
		for line := range strings.Lines(string(text)) {
			name := strings.TrimSpace(line)
			if name == "" || strings.HasPrefix(name, "#") {
				continue
			}
			names++
			if !scenarios[name] {
				t.Errorf("%s lists %s, which is no scenario", list, name)
			}
		}
		if names == 0 {
			t.Errorf("%s lists no scenario", list)
		}
	}
}
