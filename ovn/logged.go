package ovn

import (
	"fmt"
	"slices"
)

// named is how many ports a log line names of each kind.
const named = 20

// Logged are the keys and values of a log line that tells of the result.
func (r Result) Logged() []any {
	return []any{"added", some(r.Added), "moved", some(r.Moved), "changed", some(r.Changed), "removed", some(r.Removed)}
}

// some is as much of a list as a log line can bear.
func some(ports []string) []string {
	if len(ports) <= named {
		return ports
	}
	return append(slices.Clone(ports[:named]), fmt.Sprintf("and %d more", len(ports)-named))
}
