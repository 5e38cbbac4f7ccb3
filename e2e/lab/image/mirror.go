package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// machineMirrors are the lines of sources.list(5) for a release of Debian: from where the machine takes its own, with what
// mended security since, where the machine has that too. There are none where the machine is no Debian; mmdebstrap then
// knows where to look.
func machineMirrors(suite string) ([]string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return nil, fmt.Errorf("read the machine's release: %w", err)
	}
	fields := parseRelease(string(release))
	if fields["ID"] != "debian" {
		return nil, nil
	}
	sources, err := machineSources()
	if err != nil {
		return nil, err
	}
	return chooseMirrors(sources, fields["VERSION_CODENAME"], suite), nil
}

// chooseMirrors looks for what the machine, which is a Debian named codename, takes from where.
func chooseMirrors(sources []string, codename, suite string) []string {
	var lines []string
	for _, part := range []string{"", "-security"} {
		for _, s := range sources {
			if mirror := findMirror(s, codename+part); mirror != "" {
				lines = append(lines, "deb "+mirror+" "+suite+part+" main")
				break
			}
		}
		if len(lines) == 0 {
			return nil // mmdebstrap's own mirrors have both
		}
	}
	return lines
}

// machineSources reads the files of apt's sources (sources.list(5)).
func machineSources() ([]string, error) {
	files := []string{"/etc/apt/sources.list"}
	for _, pattern := range []string{"*.list", "*.sources"} {
		found, err := filepath.Glob(filepath.Join("/etc/apt/sources.list.d", pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	var sources []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read apt sources: %w", err)
		}
		sources = append(sources, string(data))
	}
	return sources, nil
}

// parseRelease reads the fields of os-release(5).
func parseRelease(release string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(release) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			fields[key] = strings.Trim(value, `"`)
		}
	}
	return fields
}

// findMirror looks through one file of sources, in either of the two formats, for the mirror that has the suite.
func findMirror(source, suite string) string {
	if mirror := findInLines(source, suite); mirror != "" {
		return mirror
	}
	for stanza := range strings.SplitSeq(source, "\n\n") {
		if mirror := findInStanza(stanza, suite); mirror != "" {
			return mirror
		}
	}
	return ""
}

// findInLines reads the one-line format: deb [options] URI suite components...
func findInLines(source, suite string) string {
	for line := range strings.Lines(source) {
		rest, isDeb := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !isDeb {
			continue
		}
		if _, after, hasOptions := strings.Cut(rest, "]"); hasOptions {
			rest = after
		}
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == suite {
			return fields[0]
		}
	}
	return ""
}

// findInStanza reads the format of RFC 822: fields, whose values may be lists.
func findInStanza(stanza, suite string) string {
	fields := map[string][]string{}
	for line := range strings.Lines(stanza) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			fields[strings.ToLower(key)] = strings.Fields(value)
		}
	}
	disabled := slices.Contains(fields["enabled"], "no")
	if disabled || !slices.Contains(fields["types"], "deb") || !slices.Contains(fields["suites"], suite) || len(fields["uris"]) == 0 {
		return ""
	}
	return fields["uris"][0]
}
