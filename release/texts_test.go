package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const changelog = `# Changelog

## [Unreleased]

### Added
- b

## [v0.1.0] - 2026-01-02

### Added
- a
`

func TestNotes(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0":        "# l2sm v0.1.0\n\n### Added\n- a\n",
		"v0.2.0":        "# l2sm v0.2.0\n\n### Added\n- b\n",
		"v0.1.0-3-gabc": "# l2sm v0.1.0-3-gabc\n\n### Added\n- b\n",
	} {
		if got, err := notes(changelog, version); err != nil || got != want {
			t.Errorf("notes of %s: %q, %v; want %q", version, got, err, want)
		}
	}
	if got, err := notes("# Changelog\n", "v0.2.0"); err == nil {
		t.Errorf("notes of nothing: %q", got)
	}
}

func TestChartVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0": "0.1.0", "v0.1.0-3-gabc": "0.1.0-3-gabc", "de5fb6e": "0.0.0-de5fb6e", "dev": "0.0.0-dev",
	} {
		if got := chartVersion(version); got != want {
			t.Errorf("chart of %s has version %s, want %s", version, got, want)
		}
	}
}

func TestChecksums(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "sbom"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"install.yaml", "sbom/x.json"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // its own sum is not among them
		if err := writeChecksums(folder); err != nil {
			t.Fatal(err)
		}
	}
	check := exec.Command("sha256sum", "--check", checksumFile)
	check.Dir = folder
	out, err := check.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "install.yaml: OK\nsbom/x.json: OK" {
		t.Errorf("sha256sum --check: %v\n%s", err, out)
	}
}

func TestSourceDate(t *testing.T) {
	if got, err := sourceDate("1700000000"); err != nil || got.Format("2006-01-02") != "2023-11-14" {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "yesterday"} {
		if _, err := sourceDate(bad); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
			t.Errorf("SOURCE_DATE_EPOCH=%s: %v", bad, err)
		}
	}
}
