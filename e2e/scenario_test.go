//go:build e2e || conformance

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// scenario is a namespace of its own, removed at the end, when nothing of it
// may be left in OVN or on the nodes.
type scenario struct {
	*testing.T
	namespace string
}

func newScenario(t *testing.T) *scenario {
	t.Helper()
	t.Parallel()
	return newLoneScenario(t)
}

// newLoneScenario is one that runs beside no other.
func newLoneScenario(t *testing.T) *scenario {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(strings.TrimPrefix(t.Name(), "Test")))
	s := &scenario{T: t, namespace: "e2e-" + name}
	if out, err := createNamespace(s.namespace); err != nil {
		t.Fatalf("create namespace: %v\n%s", err, out)
	}
	t.Cleanup(s.end)
	return s
}

// within is the scenario, for a part of its test.
func (s *scenario) within(t *testing.T) *scenario {
	return &scenario{T: t, namespace: s.namespace}
}

// end removes the scenario, after it told what stood there if it failed.
func (s *scenario) end() {
	if s.Failed() {
		for _, args := range [][]string{
			{"get", "pods,l2net,l2att", "-o", "wide"},
			{"get", "events", "--sort-by=.lastTimestamp"},
		} {
			out, _ := kubectl(append([]string{"-n", s.namespace}, args...)...)
			s.Logf("%s:\n%s", strings.Join(args, " "), lastLines(20, out))
		}
	}
	if out, err := kubectl("delete", "namespace", s.namespace, "--timeout=80s"); err != nil {
		s.Errorf("delete namespace: %v\n%s", err, out)
		return
	}
	s.expectNoTrace()
}

// lastLines leaves the reason of a failure in sight: what stood there may be
// hundreds of objects.
func lastLines(most int, text string) string {
	lines := strings.SplitAfter(strings.TrimSpace(text), "\n")
	if more := len(lines) - most; more > 0 {
		return fmt.Sprintf("(%d lines before)\n%s", more, strings.Join(lines[more:], ""))
	}
	return text
}

// expectNoTrace looks for what the scenario's namespace may have left: logical
// switches and ports, OVS interfaces, host ends.
func (s *scenario) expectNoTrace() {
	s.Helper()
	for _, zone := range zones(s.T) {
		s.eventually("nothing left in the northbound database of "+zone, func() error {
			return mentions(nbctl(s.T, zone, "show"), "l2sm/"+s.namespace+"/")
		})
	}
	for _, n := range nodes(s.T) {
		s.eventually("nothing left in OVS on "+n, func() error {
			return mentions(node(s.T, n, "ovs-vsctl", "--columns=name,external_ids", "find", "Interface"), s.namespace)
		})
		s.eventually("no host end left on "+n, func() error {
			return mentions(node(s.T, n, "ip", "-d", "link"), s.namespace)
		})
	}
}

func mentions(text, what string) error {
	for line := range strings.Lines(text) {
		if strings.Contains(line, what) {
			return fmt.Errorf("found %s", strings.TrimSpace(line))
		}
	}
	return nil
}

// try runs kubectl in the scenario's namespace.
func (s *scenario) try(args ...string) (string, error) {
	return kubectl(append([]string{"-n", s.namespace}, args...)...)
}

// kubectl runs kubectl in the scenario's namespace; it must succeed.
func (s *scenario) kubectl(args ...string) string {
	s.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// apply creates objects; refused must be told why.
func (s *scenario) apply(objects ...string) {
	s.Helper()
	if out, err := s.tryApply(objects...); err != nil {
		s.Fatalf("apply: %v\n%s", err, out)
	}
}

func (s *scenario) tryApply(objects ...string) (string, error) {
	return kubectlInput(strings.Join(objects, "\n---\n"), "-n", s.namespace, "apply", "-f", "-")
}

// refused applies an object that the API server must refuse, and returns what
// it said.
func (s *scenario) refused(object string) string {
	s.Helper()
	out, err := s.tryApply(object)
	if err == nil {
		s.Fatalf("applied, and should have been refused:\n%s", object)
	}
	return out
}

// ready waits until the pods run.
func (s *scenario) ready(pods ...string) {
	s.Helper()
	for _, p := range pods {
		s.kubectl("wait", "--for=condition=Ready", "--timeout=80s", "pod/"+p)
	}
}

// exec runs a shell line in a pod; it must succeed.
func (s *scenario) exec(pod, line string) string {
	s.Helper()
	return s.kubectl("exec", pod, "--", "sh", "-c", line)
}

// pings expects every ping of three to be answered.
func (s *scenario) pings(from, to string, flags ...string) {
	s.Helper()
	s.pingsAll(from, []string{to}, flags...)
}

// pingsAll pings several addresses at once, in one of three tries: the userspace
// datapath on two cores that other tests use too may drop a frame, a broken network
// drops them all.
func (s *scenario) pingsAll(from string, addresses []string, flags ...string) {
	s.Helper()
	line := fmt.Sprintf("for to in %s; do ping -c 3 -i 0.2 -W 3 %s $to & done; wait", strings.Join(addresses, " "), strings.Join(flags, " "))
	const tries = 3
	for try := 1; ; try++ {
		out, err := s.try("exec", from, "--", "sh", "-c", line)
		if err == nil && strings.Count(out, " 0% packet loss") == len(addresses) {
			return
		}
		if try == tries {
			s.Errorf("ping %s -> %s lost packets: %v\n%s", from, addresses, err, out)
			return
		}
		s.Logf("ping %s -> %s, try %d: %v\n%s", from, addresses, try, err, out)
	}
}

// address is the address of the family (4 or 6) on a pod's interface, without
// its prefix length.
func (s *scenario) address(pod, iface string, family int) string {
	s.Helper()
	out := s.exec(pod, fmt.Sprintf("ip -%d -o addr show dev %s scope global | awk '{print $4}' | cut -d/ -f1", family, iface))
	if out == "" {
		s.Fatalf("pod %s has no IPv%d address on %s", pod, family, iface)
	}
	return out
}

// says waits until a command's output holds the text: an event or a
// condition, where a user would look.
func (s *scenario) says(text string, args ...string) {
	s.Helper()
	s.eventually(fmt.Sprintf("kubectl %s says %q", strings.Join(args, " "), text), func() error {
		out, err := s.try(args...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if !strings.Contains(out, text) {
			return fmt.Errorf("it says:\n%s", out)
		}
		return nil
	})
}

func (s *scenario) eventually(what string, look func() error) {
	s.Helper()
	eventually(s.T, what, look)
}

// pendingBut says that no pod but these has started.
func (s *scenario) pendingBut(pods ...string) {
	s.Helper()
	out := s.kubectl("get", "pods", "-o", `jsonpath={range .items[?(@.status.phase!="Pending")]}{.metadata.name}{" "}{end}`)
	if got := strings.Fields(out); strings.Join(sorted(got), " ") != strings.Join(sorted(pods), " ") {
		s.Errorf("want pods %v started, %v are", pods, got)
	}
}
