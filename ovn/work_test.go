package ovn

import (
	"testing"

	"l2sm.io/l2sm/ovn/ovntest"
)

// What one port costs is the same on a small network and on a large one, and
// beside few networks and many: libovsdb's part and the check of what came back
// included.
func TestWorkIsOfTheChange(t *testing.T) {
	cost := func(ports, networks int) float64 {
		client := dialServer(t, ovntest.NewNorthbound(t))
		n := benchmarkNetwork(ports)
		mustApply(t, client, n)
		otherNetworks(t, client, networks)
		turn := 0
		return testing.AllocsPerRun(50, func() {
			onePort(t, client, n, turn)
			turn++
		})
	}

	small := cost(100, 10)
	for name, large := range map[string]float64{"10,000 ports": cost(10000, 10), "1,000 networks": cost(100, 1000)} {
		t.Logf("allocations: %.0f, with %s %.0f", small, name, large)
		if large > 1.5*small {
			t.Errorf("allocations with %s: %.0f, small %.0f", name, large, small)
		}
	}
}
