//go:build integration

package zone_test

import (
	"fmt"
	"testing"

	"github.com/onsi/gomega"
)

// A network whose key another switch has is named: nothing else shows that it is cut
// off. Which of two northd gives the key is by chance, so there are several.
func TestTunnelKeyTaken(t *testing.T) {
	w := start(t, "node-a")
	n := w.zones["node-a"]
	said := func() string {
		if err := n.taken.Load(); err != nil && *err != nil {
			return (*err).Error()
		}
		return ""
	}
	const several = 10
	theirs := []string{}
	for i := range several {
		name := fmt.Sprintf("theirs-%d", i)
		n.NB("ls-add", name, "--", "set", "Logical_Switch", name, fmt.Sprintf("other_config:requested-tnl-key=%d", networkKeys+1+int32(i)))
		theirs = append(theirs, "--", "ls-del", name)
	}
	for i := range several {
		w.attach(w.network(fmt.Sprintf("net-%d", i)), "node-a", byte(i+1))
	}
	g := gomega.NewWithT(t)
	g.Eventually(said, patience, "20ms").Should(gomega.MatchRegexp(`%s/net-\d has \d+ and not \d+`, w.namespace))
	n.NB(theirs[1:]...)
	g.Eventually(func() string {
		n.NB("set", "Logical_Switch", n.switches()[0], "other_config:touched=1") // or northd lets it be
		n.NB("remove", "Logical_Switch", n.switches()[0], "other_config", "touched")
		return said()
	}, patience, "100ms").Should(gomega.BeEmpty(), "all have their keys")
}
