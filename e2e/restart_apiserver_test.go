//go:build e2e

package e2e

// Lab only: it stops the API server.

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The API server away for longer than any lease lasts: what runs keeps running, what was asked
// for just before is done afterwards, and so is what is asked for then, when
// Kubernetes' own parts have found back: each tries again once in 30 s.
func TestAPIServerAway(t *testing.T) {
	const away = 30 * time.Second
	s := newLoneScenario(t)
	s.pair(nodes(t)[0], nodes(t)[1])
	before := restarts(t)
	var recovered time.Duration
	f := s.losesNothing(func() {
		s.apply(pod{name: "asked-before", node: nodes(t)[0], networks: "net"}.String())
		power(t, "stop", "apiserver")
		time.Sleep(away)
		power(t, "start", "apiserver")
		back := time.Now()
		s.apply(pod{name: "asked-after", node: nodes(t)[1], networks: "net"}.String())
		for _, p := range []string{"asked-before", "asked-after"} {
			if out, err := s.try("wait", "--for=condition=Ready", "--timeout=80s", "pod/"+p); err != nil {
				s.Logf("pod %s, first try: %v: %s", p, err, out)
				s.ready(p)
			}
			s.pings(p, "10.70.255.1")
		}
		recovered = time.Since(back)
		s.kubectl("delete", "pod", "asked-before", "asked-after")
	})
	s.report("kube-apiserver away for "+away.String(),
		fmt.Sprintf("pods' traffic; a pod asked for when it was back ran after %.0f s", recovered.Seconds()), f)
	s.stillServes()
	s.consistent()
	// A controller that has lost its lease ends, and its successor waits.
	for pod, n := range restarts(t) {
		if n > before[pod]+1 {
			t.Errorf("%s has ended %d times", pod, n-before[pod])
		}
	}
}

// restarts are how often the first container of each of l2sm's pods was started
// again.
func restarts(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	out := system(t, "get", "pods", "-o", `jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\n"}{end}`)
	for line := range strings.Lines(out) {
		var pod string
		var n int
		if _, err := fmt.Sscan(line, &pod, &n); err != nil {
			t.Fatalf("restarts of %q: %v", line, err)
		}
		counts[pod] = n
	}
	return counts
}
