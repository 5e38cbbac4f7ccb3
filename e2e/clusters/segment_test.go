//go:build e2e

package clusters

import (
	"strings"
	"testing"
	"time"
)

// Pods of two clusters share one Ethernet segment: no hop between them, full frames,
// and each broadcast once.
func TestOneSegment(t *testing.T) {
	east, west := newScenario(t)
	// n1 of the east is no edge: frames go from node to node, and then out.
	east.apply(east.network(5101), pod("far", "n1", asks("", "10.60.1.10", "fd60::1:10")), pod("near", "n2", asks("", "10.60.1.11", "fd60::1:11")))
	west.apply(west.network(5101), pod("pod", "", asks("", "10.60.2.10", "fd60::2:10")))
	east.ready("far", "near")
	west.ready("pod")
	east.stretched()
	west.stretched()

	for _, ping := range []struct {
		from     place
		pod      string
		to, size string
	}{
		{east, "far", "10.60.2.10", "1422"}, {east, "far", "fd60::2:10", "1402"}, {east, "near", "10.60.2.10", "1422"},
		{west, "pod", "10.60.1.10", "1422"}, {west, "pod", "fd60::1:10", "1402"}, {west, "pod", "10.60.1.11", "1422"},
	} {
		out := ping.from.exec(ping.pod, "ping -c 5 -i 0.2 -M do -s "+ping.size+" "+ping.to)
		if n := strings.Count(out, "ttl=64"); n != 5 || strings.Contains(out, "DUP!") {
			t.Errorf("%s in the %s to %s: want 5 answers with ttl=64, each once:\n%s", ping.pod, ping.from.side, ping.to, out)
		}
	}
	hears(t, east, "far", west, "pod")
	hears(t, west, "pod", east, "far")
	hears(t, west, "pod", east, "near")
}

// hears fails unless the listener hears each broadcast of the sender once.
func hears(t *testing.T, from place, sender string, to place, listener string) {
	t.Helper()
	const sent = 5
	to.exec(listener, "tcpdump -lni net1 ether broadcast and icmp > /tmp/heard 2>&1 & until grep -q listening /tmp/heard; do sleep 0.05; done")
	from.exec(sender, "ping -b -c 5 -i 0.2 -W 1 10.60.255.255 || true")
	time.Sleep(500 * time.Millisecond) // for a second copy
	heard := to.exec(listener, "pkill -INT tcpdump; sleep 0.3; cat /tmp/heard")
	if n := strings.Count(heard, "echo request"); n != sent {
		t.Errorf("%s in the %s hears %d of %d broadcasts of %s in the %s:\n%s", listener, to.side, n, sent, sender, from.side, heard)
	}
}
