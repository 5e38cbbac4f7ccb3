// Package docs_test holds the pages to what there is.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// repository is its root, from here.
const repository = ".."

// TestSecurityClaimsAreTested: security.md names a test for each of its claims,
// and each of them exists.
func TestSecurityClaimsAreTested(t *testing.T) {
	declared := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	each(t, "_test.go", func(_, text string) {
		for _, match := range declaration.FindAllStringSubmatch(text, -1) {
			declared[match[1]] = true
		}
	})
	page, err := os.ReadFile("security.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 20 {
		t.Errorf("security.md names %d tests, want at least 20", len(named))
	}
	for _, match := range named {
		if !declared[match[1]] {
			t.Errorf("security.md names %s, which does not exist", match[1])
		}
	}
}

// TestLinksLeadSomewhere: what pages link to in this repository exists, with
// the heading.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]*)(#[^)\s]*)?\)`)
	pages := 0
	each(t, ".md", func(path, text string) {
		pages++
		if filepath.Base(path) == "api.md" {
			return // generated: what looks like links are patterns
		}
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target := path
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(path), match[1])
			}
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s links to %s, which does not exist", path, match[1])
				continue
			}
			if match[2] != "" && !info.IsDir() && !anchors(t, target)[match[2][1:]] {
				t.Errorf("%s links to %s%s: no such heading", path, match[1], match[2])
			}
		}
	})
	if pages < 10 {
		t.Errorf("found %d pages, want at least 10", pages)
	}
}

// TestInstallNamesEveryPort: the firewalls' table of install.md has every port that a
// container opens, and no other.
func TestInstallNamesEveryPort(t *testing.T) {
	opened := map[string]bool{"6081": true, "4789": true} // Open vSwitch's, in the kernel
	port := regexp.MustCompile(`containerPort: (\d+)`)
	each(t, ".yaml", func(path, text string) {
		if !strings.HasPrefix(path, filepath.Join(repository, "manifests")) {
			return
		}
		for _, match := range port.FindAllStringSubmatch(text, -1) {
			opened[match[1]] = true
		}
	})
	page, err := os.ReadFile("install.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| \d+/.*$`).FindAllString(string(page), -1) {
		for _, match := range regexp.MustCompile(`(\d+)/(tcp|udp)`).FindAllStringSubmatch(row, -1) {
			named[match[1]] = true
		}
	}
	for p := range opened {
		if !named[p] {
			t.Errorf("install.md does not name port %s", p)
		}
	}
	for p := range named {
		if !opened[p] {
			t.Errorf("install.md names port %s, which nothing opens", p)
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (.*)$`)

// anchors are a page's headings as a browser names them.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		all[strings.ReplaceAll(name, " ", "-")] = true
	}
	return all
}

// each reads the repository's files whose names end so.
func each(t *testing.T, suffix string, do func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// What make writes, a release among it, is no part of the repository.
		if entry.IsDir() && slices.Contains([]string{".git", "bin", "dist", "dist.unfinished", "node_modules"}, entry.Name()) {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, suffix) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		do(path, string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
