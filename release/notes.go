package main

import (
	"fmt"
	"strings"
)

// notes are what the changelog says of a version; of one that has no section yet, what it says of the unreleased one.
func notes(changelog, version string) (string, error) {
	for _, title := range []string{strings.TrimPrefix(version, "v"), "Unreleased"} {
		if text := section(changelog, title); text != "" {
			return "# l2sm " + version + "\n\n" + text + "\n", nil
		}
	}
	return "", fmt.Errorf("CHANGELOG.md says nothing of %s and has no section Unreleased", version)
}

// section is the text under a heading such as `## [0.1.0] - 2026-01-02`.
func section(changelog, title string) string {
	var text strings.Builder
	inside := false
	for line := range strings.Lines(changelog) {
		if heading, is := strings.CutPrefix(line, "## "); is {
			name, _, _ := strings.Cut(strings.TrimSpace(heading), " ")
			inside = strings.TrimPrefix(strings.Trim(name, "[]"), "v") == title
			continue
		}
		if inside {
			text.WriteString(line)
		}
	}
	return strings.TrimSpace(text.String())
}
