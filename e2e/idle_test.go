//go:build e2e

package e2e

// Lab only: it traces every program for a minute, which other work would disturb.

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
)

// An idle program wakes for keepalives and lease renewals only: traced for a
// minute it opens nothing, forks nothing, connects nowhere, and writes only to
// the sockets that it has.
//
// The bounds are what the keepalives come to in 60 s: a lease renewed (or
// looked at) every 2 s, an OVSDB echo every few seconds on each connection,
// probes from the kubelet, HTTP/2 pings: some 120 writes of the leading
// controller.
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
	traces := make([]string, len(all))
	var group sync.WaitGroup
	for i, p := range all {
		group.Go(func() {
			traces[i], _ = lab("node", p.node, "timeout", "-s", "INT", "60", "strace", "-f", "-qq", "-e", "signal=none",
				"-e", "trace=execve,openat,open,connect,write,sendto,sendmsg,writev", "-p", p.pid)
		})
	}
	group.Wait()
	for i, p := range all {
		t.Run(p.program+"-"+p.node, func(t *testing.T) {
			calls, lines := count(traces[i])
			t.Logf("%s on %s, 60 s: %s", p.program, p.node, table(calls))
			if len(calls) == 0 {
				t.Errorf("the trace caught nothing, not even a keepalive:\n%s", traces[i])
			}
			for _, never := range []string{"execve", "openat", "open", "connect"} {
				if calls[never] > 0 {
					t.Errorf("an idle %s calls %s %d times:\n%s", p.program, never, calls[never], first(lines, never))
				}
			}
			if writes := calls["write"] + calls["sendto"] + calls["sendmsg"] + calls["writev"]; writes > 180 {
				t.Errorf("an idle %s writes %d times in 60 s:\n%s", p.program, writes, first(lines, "write"))
			}
		})
	}
}

var systemCall = regexp.MustCompile(`^(?:\[pid +\d+\] )?(\w+)\(`)

// runtimeWakes is how the Go runtime wakes its own network poller, through an
// eventfd (runtime/netpoll_epoll.go): nothing leaves the process, and how often
// it happens depends on how the machine schedules threads.
var runtimeWakes = regexp.MustCompile(`write\(\d+, "\\1\\0\\0\\0\\0\\0\\0\\0", 8`)

// count counts a trace's system calls. Two do not count: the service account's
// token, which client-go reads again once a minute because it is renewed, and
// the runtime's wakes of itself.
func count(trace string) (calls map[string]int, lines []string) {
	calls = map[string]int{}
	for line := range strings.Lines(trace) {
		m := systemCall.FindStringSubmatch(line)
		if m == nil || strings.Contains(line, "/var/run/secrets/kubernetes.io/serviceaccount/") || runtimeWakes.MatchString(line) {
			continue
		}
		calls[m[1]]++
		lines = append(lines, line)
	}
	return calls, lines
}

func table(calls map[string]int) string {
	var rows []string
	for name, n := range calls {
		rows = append(rows, fmt.Sprintf("%s %d", name, n))
	}
	sort.Strings(rows)
	return strings.Join(rows, ", ")
}

// first are the first few lines of a trace that hold a call.
func first(trace []string, call string) string {
	var lines []string
	for _, line := range trace {
		if strings.Contains(line, call+"(") && len(lines) < 20 {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
