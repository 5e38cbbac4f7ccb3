//go:build e2e

package e2e

// Lab only: it stops the controller.

import (
	"fmt"
	"path/filepath"
	"testing"
)

// Without a controller a network's deletion hangs, and the way out that the
// controller's page documents works.
func TestWayOutWithoutController(t *testing.T) {
	s := newLoneScenario(t)
	s.apply(network("net", "10.125.0.0/24"))
	s.says("True", "get", "l2net", "net", "-o", `jsonpath={.status.conditions[?(@.type=="Programmed")].status}`)
	t.Cleanup(func() { // the page has Prometheus' account bound, too
		if out, err := kubectl("delete", "clusterrolebinding", "prometheus-l2sm", "--ignore-not-found"); err != nil {
			t.Errorf("delete what the page has made: %v\n%s", err, out)
		}
	})
	withoutController(t, func() {
		if out, err := s.try("delete", "l2net", "net", "--timeout=3s"); err == nil {
			s.Errorf("a network went without a controller: %s", out)
		}
		runReadme(t, filepath.Join(repository(), "docs", "l2sm-controller.md"))
		s.eventually("the network is gone", func() error {
			if out := s.kubectl("get", "l2net", "-o", "name"); out != "" {
				return fmt.Errorf("found %s", out)
			}
			return nil
		})
	})
}

// withoutController does the action while no controller runs.
func withoutController(t *testing.T, action func()) {
	t.Helper()
	system(t, "scale", "deploy/l2sm-controller", "--replicas=0")
	defer func() {
		system(t, "scale", "deploy/l2sm-controller", "--replicas=2")
		system(t, "rollout", "status", "deploy/l2sm-controller", "--timeout=80s")
	}()
	system(t, "wait", "--for=delete", "--timeout=60s", "pod", "-l", "app.kubernetes.io/name=l2sm-controller")
	action()
}
