//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// An idle program wakes for keepalives and lease renewals only: traced for a
// minute it opens nothing, forks nothing, connects nowhere, and writes only to
// the sockets that it has.
//
// The bounds are what the keepalives come to in 60 s: a lease renewed (or
// looked at) every 2 s, an OVSDB echo every few seconds on each connection,
// probes from the kubelet, HTTP/2 pings.
func TestIdleProgramsDoNothingPeriodic(t *testing.T) {
	type traced struct{ node, pid, program string }
	var all []traced
	for _, n := range nodes(t) {
		for _, program := range []string{"l2sm-agent", "l2sm-controller"} {
			out, _ := lab("node", n, "pgrep", "-x", program[:min(15, len(program))])
			for _, pid := range strings.Fields(out) {
				all = append(all, traced{n, pid, program})
			}
		}
	}
	if len(all) < len(nodes(t)) {
		t.Fatalf("found %d programs on %d nodes", len(all), len(nodes(t)))
	}
	for _, p := range all {
		t.Run(p.program+"-"+p.node+"-"+p.pid, func(t *testing.T) {
			t.Parallel()
			trace := node(t, p.node, "sh", "-c", fmt.Sprintf("timeout -s INT 60 strace -f -qq -e trace=execve,openat,open,connect,write,sendto,sendmsg,writev -p %s 2>&1 >/dev/null || true", p.pid))
			calls := map[string]int{}
			for _, m := range regexp.MustCompile(`(?m)^(?:\[pid +\d+\] )?(\w+)\(`).FindAllStringSubmatch(trace, -1) {
				calls[m[1]]++
			}
			t.Logf("%s on %s, 60 s: %s", p.program, p.node, table(calls))
			for _, never := range []string{"execve", "openat", "open", "connect"} {
				if calls[never] > 0 {
					t.Errorf("an idle %s calls %s %d times:\n%s", p.program, never, calls[never], trace)
				}
			}
			if writes := calls["write"] + calls["sendto"] + calls["sendmsg"] + calls["writev"]; writes > 240 {
				t.Errorf("an idle %s writes %d times in 60 s:\n%s", p.program, writes, trace)
			}
		})
	}
}

func table(calls map[string]int) string {
	var rows []string
	for name, n := range calls {
		rows = append(rows, fmt.Sprintf("%s %d", name, n))
	}
	sort.Strings(rows)
	return strings.Join(rows, ", ")
}
