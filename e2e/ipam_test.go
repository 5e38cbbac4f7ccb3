//go:build e2e || conformance

package e2e

import (
	"strings"
	"testing"
)

// Ranges that would strand addresses in use are not applied, and their holders
// are named; when those go, they are.
func TestNarrowedRanges(t *testing.T) {
	s := newScenario(t)
	spec := func(ranges, excluded string) string {
		return networkSpec("net", `{ipam: {subnets: ["10.121.0.0/24"], ranges: ["`+ranges+`"], excluded: [`+excluded+`]}}`)
	}
	inForce := []string{"get", "l2net", "net", "-o", "jsonpath={.status.ipam.ranges[0]} without {.status.ipam.excluded}"}
	s.apply(spec("10.121.0.10-10.121.0.20", ""), pod{name: "low", networks: static("net", "10.121.0.10")}.String(), pod{name: "high", networks: static("net", "10.121.0.20")}.String())
	s.ready("low", "high")
	s.says("10.121.0.10-10.121.0.20", inForce...)

	s.apply(spec("10.121.0.10-10.121.0.15", ""))
	s.says("high-net1-", "get", "l2net", "net", "-o", accepted)
	s.says("10.121.0.10-10.121.0.20", inForce...)
	s.apply(spec("10.121.0.10-10.121.0.20", `"10.121.0.10"`))
	s.says("low-net1-", "get", "l2net", "net", "-o", accepted)
	s.pings("low", "10.121.0.20")

	s.kubectl("delete", "pod", "low")
	s.says("True:", "get", "l2net", "net", "-o", accepted)
	s.says(`10.121.0.10-10.121.0.20 without ["10.121.0.10"]`, inForce...)
}

// A pod that waits for an address is served when the ranges grow.
func TestWidenedRanges(t *testing.T) {
	s := newScenario(t)
	s.apply(networkSpec("net", `{ipam: {subnets: ["10.122.0.0/24"], ranges: ["10.122.0.5"]}}`), pod{name: "first", networks: "net"}.String())
	s.ready("first")
	s.apply(pod{name: "second", networks: "net"}.String())
	s.says("AddressesExhausted", "get", "events", "--field-selector", "involvedObject.name=second")
	s.apply(networkSpec("net", `{ipam: {subnets: ["10.122.0.0/24"], ranges: ["10.122.0.5-10.122.0.6"]}}`))
	s.ready("second")
	if got := s.address("second", "net1", 4); got != "10.122.0.6" {
		s.Errorf("want the new address 10.122.0.6, got %s", got)
	}
}

// A pod that has run to its end gives its address back at once, though the
// object stays.
func TestEndedPodFreesItsAddress(t *testing.T) {
	s := newScenario(t)
	s.apply(networkSpec("net", `{ipam: {subnets: ["10.123.0.0/24"], ranges: ["10.123.0.5"]}}`))
	for name, command := range map[string]string{"Succeeded": "exit 0", "Failed": "exit 1"} {
		ended, next := strings.ToLower(name), "after-"+strings.ToLower(name)
		s.apply(pod{name: ended, networks: "net", command: []string{"sh", "-c", "ip addr show dev net1; " + command}}.String())
		s.says(name, "get", "pod", ended, "-o", "jsonpath={.status.phase}")
		s.expect(s.kubectl("logs", ended), "10.123.0.5")
		s.apply(pod{name: next, networks: "net"}.String())
		s.ready(next)
		if got := s.address(next, "net1", 4); got != "10.123.0.5" {
			s.Errorf("want 10.123.0.5 after the pod has %s, got %s", name, got)
		}
		s.kubectl("delete", "pod", next)
	}
}
