//go:build e2e && upgrade

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// former is a checkout of the version that the cluster runs when the test starts:
// e2e/upgrade.sh installs it.
var former = os.Getenv("L2SM_FORMER")

// What an installation of either version consists of.
const (
	formerOverlay = "overlay" // in the former's folder: its images have a tag of their own
	headOverlay   = "manifests/overlays/lab"
)

// The version before is brought to this one, part by part as docs/upgrade.md says,
// taken back, and brought to it again, while pods talk. Each part may cost what
// docs/reliability.md says of replacing the same programs, and no more.
func TestUpgrade(t *testing.T) {
	whole := newLoneScenario(t)
	whole.pair(nodes(t)[0], nodes(t)[1])
	whole.apply(network("other", "10.71.0.0/24"), attachment("persistent", "kept", "other", ""), pod{name: "kept", node: nodes(t)[1]}.String())
	addresses := func() string {
		return whole.kubectl("get", "l2att", "-o", "jsonpath={range .items[*]}{.metadata.name} {.spec.macAddress} {.spec.addresses}{\"\\n\"}{end}")
	}
	whole.says("True", "get", "l2att", "persistent", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
	before := addresses()

	const replaced, central = 20 * time.Second, 5 * time.Second // as of TestRolledWorkloads
	for _, step := range []struct {
		name, root, part string
		outage           time.Duration // 0: nothing may be lost
	}{
		{"upgrade: CRDs", "", "crds", 0},
		{"upgrade: ovn-central and l2sm-controller", "", "control", central},
		{"upgrade: l2sm-agent", "", "agents", 0},
		{"upgrade: ovn-node, one node after the other", "", "nodes", replaced},
		{"downgrade: ovn-node", former, "nodes", replaced},
		{"downgrade: l2sm-agent", former, "agents", 0},
		{"downgrade: ovn-central and l2sm-controller", former, "control", central},
		{"upgrade again: ovn-central and l2sm-controller", "", "control", central},
		{"upgrade again: l2sm-agent", "", "agents", 0},
		{"upgrade again: ovn-node", "", "nodes", replaced},
	} {
		ok := t.Run(step.name, func(t *testing.T) {
			s := whole.within(t)
			action := func() {
				s.bring(step.root, step.part)
				s.stillServes()
			}
			if step.outage == 0 {
				s.report(step.name, "pods' traffic", s.losesNothing(action))
			} else {
				s.report(step.name, "pods, ports and TCP connections", s.breaksFor(step.outage, action))
			}
			s.expect(addresses(), before)
		})
		if !ok {
			t.FailNow()
		}
	}
	t.Run("the shared certificate is worth nothing now", func(t *testing.T) {
		s := whole.within(t)
		s.connected(nodes(t)...)
		s.eventually("one authority is trusted for nodes", func() error {
			trust, err := nbtry("get", "NB_Global", ".", "external_ids:l2sm-node-trust")
			if err == nil && strings.Count(trust, "BEGIN CERTIFICATE") != 1 {
				err = fmt.Errorf("the databases trust %s", trust)
			}
			return err
		})
		system(t, "delete", "secret", "ovn-ca", "ovn-client-tls")
		s.sameChassis()
		s.consistent()
	})
}

// bring has upgrade.sh apply a part of a version's manifests, this checkout's if no
// root is given.
func (s *scenario) bring(root, part string) {
	s.Helper()
	overlay := headOverlay
	if root != "" {
		overlay = filepath.Join(root, formerOverlay)
		// This version's policies know its programs alone: docs/upgrade.md, "Going back".
		if out, err := kubectl("delete", "-k", filepath.Join(repository(), "manifests/policies"), "--ignore-not-found"); err != nil {
			s.Fatalf("delete this version's policies: %v\n%s", err, out)
		}
	}
	bin := s.TempDir()
	program := filepath.Join(bin, "kubectl")
	if err := os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\nexec %s/bin/lab --name %s kubectl \"$@\"\n", repository(), labName), 0o755); err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "manifests/upgrade/upgrade.sh", overlay, part)
	cmd.Dir = repository()
	cmd.Env = append(os.Environ(), "KUBECTL="+program)
	out, err := cmd.CombinedOutput()
	s.Logf("upgrade.sh %s %s:\n%s", overlay, part, lastLines(8, string(out)))
	if err != nil {
		pods, _ := kubectl("-n", "l2sm-system", "get", "pods", "-o", "wide")
		s.Fatalf("upgrade.sh %s: %v\n%s", part, err, pods)
	}
}
