package controllers

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// A port comes out as it went in: no field that the northbound side has, or gets
// one day, is left out.
func TestPackedPort(t *testing.T) {
	network, attachment := dualStack(7)
	full := ovn.Port{
		Type: "router", Addresses: []string{"02:00:00:00:00:01 10.0.0.1", "unknown"}, PortSecurity: []string{"", "a"},
		Options: map[string]string{"b": "", "a": "\x00\xff", "": "c"}, TunnelKey: -32767, Permit: "1",
	}
	cases := map[string]struct {
		reason string
		port   ovn.Port
	}{
		"Pod":   {"what pods get", topology.Port(network, attachment)},
		"Full":  {"every field", full},
		"Empty": {"none", ovn.Port{}},
		"Long":  {"longer than a length's first byte says", ovn.Port{Addresses: make([]string, 300), Type: string(make([]byte, 70_000))}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.port.Name, tc.port.Owner = "", "" // they are the attachment's
			if diff := cmp.Diff(tc.port, tc.port.Pack().Port()); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
	for i := range reflect.TypeFor[ovn.Port]().NumField() {
		field := reflect.TypeFor[ovn.Port]().Field(i).Name
		if field != "Name" && field != "Owner" && reflect.ValueOf(full).Field(i).IsZero() {
			t.Errorf("nothing shows that field %s is packed", field)
		}
	}
}

// The row that is written is the port of the mapping.
func TestPortRow(t *testing.T) {
	network, attachment := dualStack(7)
	p := newPorts()
	p.set(network, attachment)
	w := p.begin(network.Key(), 1)
	if len(w.set) != 1 {
		t.Fatalf("%d ports to write, want one", len(w.set))
	}
	if diff := cmp.Diff(topology.Port(network, attachment), w.set[0].row()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func BenchmarkPackPort(b *testing.B) {
	port := topology.Port(dualStack(7))
	b.ReportAllocs()
	for b.Loop() {
		if len(port.Pack().Port().Options) == 0 {
			b.Fatal("nothing is packed")
		}
	}
}
