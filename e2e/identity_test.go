//go:build e2e

package e2e

// Lab only: it rotates the nodes' authority and shuts a node out.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rotate has the nodes' authority followed by another, beside which it is trusted
// for a while; docs/ovn-central.md tells users to.
func rotate(t *testing.T, overlap string) {
	t.Helper()
	system(t, "annotate", "secret", "ovn-node-ca", "l2sm.io/rotate="+overlap)
}

// All nodes get new certificates, and those of the former authority are worth
// nothing, while pods talk.
func TestNodeAuthorityRotated(t *testing.T) {
	whole := newLoneScenario(t)
	whole.pair(nodes(t)[0], nodes(t)[1])
	for name, act := range map[string]func(t *testing.T){
		"beside the former for 5 s": func(t *testing.T) { rotate(t, "5s") },
		"its Secret deleted":        func(t *testing.T) { system(t, "delete", "secret", "ovn-node-ca") },
	} {
		t.Run(name, func(t *testing.T) {
			s := whole.within(t)
			f := s.losesNothing(func() {
				s.replaced(func() { act(t) })
				s.stillServes()
			})
			s.report("authority of nodes' certificates rotated, "+name, "pods' traffic; nodes connect with new certificates", f)
			s.sameChassis()
		})
	}
	whole.consistent()
}

// Certificates that live for 30 s are renewed, while pods talk.
func TestNodeCertificatesRenewed(t *testing.T) {
	s := newLoneScenario(t)
	s.pair(nodes(t)[0], nodes(t)[1])
	limit := func(flags string) {
		system(t, "patch", "deploy", "l2sm-controller", "--type=json", "-p", `[{"op": "replace", "path": "/spec/template/spec/containers/0/command", "value": ["/usr/bin/l2sm-controller"`+flags+`]}]`)
		system(t, "rollout", "status", "deploy/l2sm-controller", "--timeout=80s")
	}
	renewed := func() {
		before := certificates(t)
		s.eventually("every node has renewed its certificate", func() error { return allOther(before, certificates(t)) })
	}
	limit(`, "--node-certificate-lifetime=30s"`)
	t.Cleanup(func() { limit("") })
	rotate(t, "0s")
	renewed()
	f := s.losesNothing(func() {
		renewed()
		s.stillServes()
	})
	s.report("nodes' certificates renewed", "pods' traffic", f)
	s.connected(nodes(t)...)
}

// A node is shut out: it gets no certificate, and those that it had are worth
// nothing. The others go on, and it comes back when it is let in.
func TestNodeRevoked(t *testing.T) {
	s := newLoneScenario(t)
	first, second := nodes(t)[0], nodes(t)[1]
	s.pair(first, second)
	const label = "node-restriction.kubernetes.io/l2sm-revoked"
	system(t, "label", "node", second, label+"=")
	t.Cleanup(func() { _, _ = kubectl("label", "node", second, label+"-") }) // it is gone, unless the test failed
	rotate(t, "0s")
	s.eventually(second+" is refused a certificate", func() error {
		if out := system(t, "get", "csr"); !strings.Contains(out, "Denied") {
			return fmt.Errorf("requests are:\n%s", out)
		}
		return nil
	})
	s.eventually(second+" is cut off", func() error {
		if status := connection(t, second); status == "connected" {
			return fmt.Errorf("it is %s", status)
		}
		return nil
	})
	s.connected(slices.DeleteFunc(nodes(t), func(n string) bool { return n == second })...)
	s.pings("ping", "10.70.255.2") // as it was told last

	system(t, "label", "node", second, label+"-")
	for _, line := range strings.Split(system(t, "get", "csr", "--no-headers"), "\n") {
		if strings.Contains(line, "Denied") {
			system(t, "delete", "csr", strings.Fields(line)[0])
		}
	}
	s.connected(second)
	s.stillServes()
}

// replaced does what leads to another authority, and returns when every node has
// a certificate of it, and is connected by it: the connections of the former's
// were ended.
func (s *scenario) replaced(action func()) {
	s.Helper()
	before, closed := certificates(s.T), reopened(s.T)
	action()
	s.eventually("every node has another certificate", func() error { return allOther(before, certificates(s.T)) })
	s.eventually("the southbound database has ended all connections of nodes", func() error {
		if n := reopened(s.T); n <= closed {
			return fmt.Errorf("it did %d times", n)
		}
		return nil
	})
	s.connected(nodes(s.T)...)
}

// certificates are those of all nodes, in the nodes' order.
func certificates(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, n := range nodes(t) {
		all = append(all, node(t, n, "cat", "/run/l2sm/ovn/tls.crt"))
	}
	return all
}

func allOther(before, now []string) error {
	for i := range before {
		if before[i] == now[i] {
			return fmt.Errorf("node %d has the one from before", i)
		}
	}
	return nil
}

// reopened counts how often the nodes' port was opened for one authority alone.
func reopened(t *testing.T) int {
	t.Helper()
	return strings.Count(system(t, "logs", "deploy/ovn-central", "-c", "sb"), "to certificates of 1 ")
}

// connection is what ovn-controller of a node says of its own.
func connection(t *testing.T, of string) string {
	t.Helper()
	pod := system(t, "get", "pod", "-l", "app.kubernetes.io/name=ovn-node", "--field-selector", "spec.nodeName="+of, "-o", "name")
	return strings.TrimSpace(system(t, "exec", strings.TrimSpace(pod), "-c", "ovn-controller", "--", "ovn-appctl", "-t", "ovn-controller", "connection-status"))
}

func (s *scenario) connected(names ...string) {
	s.Helper()
	for _, n := range names {
		s.eventually(n+" is connected to the southbound database", func() error {
			if status := connection(s.T, n); status != "connected" {
				return fmt.Errorf("it is %s", status)
			}
			return nil
		})
	}
}
