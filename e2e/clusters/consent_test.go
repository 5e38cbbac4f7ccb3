//go:build e2e

package clusters

import (
	"testing"
)

const stretch = "Stretched"

// A network goes on only where the administrators and the owners of both sides want it,
// and its condition says who does not.
func TestConsent(t *testing.T) {
	east, west := newScenario(t)
	stretched := []string{"get", "l2net", "net", "-o", condition(stretch)}
	t.Log("the other side's owner has not")
	east.apply(east.network(5103), pod("pod", "", asks("", "10.60.1.10")))
	east.ready("pod")
	east.says("False:AwaitsPeer:", stretched...)
	west.apply(west.network(0), pod("pod", "", asks("", "10.60.2.10")))
	west.ready("pod")
	isApart(t, east, "10.60.2.10")

	t.Log("the other side's administrator has not")
	peer := func(namespaces string) {
		west.kubectl("patch", "l2peer", "east", "--type=merge", "-p", `{"spec": {"namespaces": `+namespaces+`}}`)
	}
	t.Cleanup(func() { peer(`{"matchLabels": null}`) })
	peer(`{"matchLabels": {"kubernetes.io/metadata.name": "another"}}`)
	west.apply(west.network(5103))
	west.says("False:NotAllowed:", stretched...)
	west.says("east", stretched...)
	east.says("False:AwaitsPeer:", stretched...)
	isApart(t, east, "10.60.2.10")
	isApart(t, west, "10.60.1.10")

	t.Log("all want it")
	peer(`{"matchLabels": null}`)
	west.says("True:", stretched...)
	east.says("True:", stretched...)
	east.exec("pod", "ping -c 3 -i 0.2 10.60.2.10")

	t.Log("an administrator does not want it any more")
	peer(`{"matchLabels": {"kubernetes.io/metadata.name": "another"}}`)
	west.says("False:NotAllowed:", stretched...)
	east.says("False:AwaitsPeer:", stretched...)
	isApart(t, east, "10.60.2.10")
}

// An id outside of what the peer may have is not taken.
func TestIDOutsideOfThePeers(t *testing.T) {
	east, _ := newScenario(t)
	east.apply(east.network(6001))
	east.says("False:NotAllowed:", "get", "l2net", "net", "-o", condition(stretch))
	east.says("6001", "get", "l2net", "net", "-o", condition(stretch))
}

// isApart fails where the other cluster's pod answers.
func isApart(t *testing.T, p place, address string) {
	t.Helper()
	if out, err := p.try("exec", "pod", "--", "ping", "-c", "3", "-i", "0.2", "-W", "1", address); err == nil {
		t.Errorf("%s is reached from the %s, and nobody wants that:\n%s", address, p.side, out)
	}
}
