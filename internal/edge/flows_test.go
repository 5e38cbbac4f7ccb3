package edge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"l2sm.io/l2sm/internal/openflow"
)

func at(address string) netip.Addr { return netip.MustParseAddr(address) }

func TestFlows(t *testing.T) {
	own := flooder{member: member{at("192.0.2.1"), way{port: 7}}, peer: "east", in: 2, out: 1}
	fabric := flooder{member: member{at("192.0.2.9"), way{port: 9, shared: true}}, peer: "spine", in: 3, out: 4}
	second := fabric
	second.vtep, second.out = at("192.0.2.10"), 5
	cases := map[string]struct {
		reason string
		carried
		want []string
	}{
		"Standby": {"frames wait for the port alone: who takes over has the rest", carried{vni: 5001, members: []flooder{own}}, []string{
			"1/10 id=5001: apart(police 1, out 7)"}},
		"Active": {"what comes from a tunnel goes into the network only", carried{vni: 5001, port: 4, members: []flooder{own}}, []string{
			"0/100 in=4: id 5001, goto 1",
			"0/100 in=7 id=5001: out 4",
			"0/110 in=7 id=5001 many: police 2, settle, out 4",
			"1/10 id=5001: apart(police 1, out 7)"}},
		"Fabric": {"VTEPs that share a port are told apart by their addresses", carried{vni: 5001, port: 4, members: []flooder{own, fabric, second}}, []string{
			"0/100 in=4: id 5001, goto 1",
			"0/100 in=7 id=5001: out 4",
			"0/100 in=9 id=5001 from=192.0.2.10: out 4",
			"0/100 in=9 id=5001 from=192.0.2.9: out 4",
			"0/110 in=7 id=5001 many: police 2, settle, out 4",
			"0/110 in=9 id=5001 from=192.0.2.10 many: police 3, settle, out 4",
			"0/110 in=9 id=5001 from=192.0.2.9 many: police 3, settle, out 4",
			"1/10 id=5001: apart(police 1, out 7), apart(police 4, to 192.0.2.9, out 9), apart(police 5, to 192.0.2.10, out 9)"}},
		"Alone": {"a network without another side drops what would leave it", carried{vni: 5001, port: 4}, []string{
			"0/100 in=4: id 5001, goto 1",
			"1/10 id=5001: "}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range tc.flows() {
				got = append(got, text(f.Flow))
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s:\n%s\nwant\n%s", tc.reason, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// text is a flow in few words.
func text(f openflow.Flow) string {
	var match, actions []string
	m := f.Match
	if m.InPort != 0 {
		match = append(match, fmt.Sprintf("in=%d", m.InPort))
	}
	if m.TunnelID != 0 {
		match = append(match, fmt.Sprintf("id=%d", m.TunnelID))
	}
	if m.TunnelSource.IsValid() {
		match = append(match, "from="+m.TunnelSource.String())
	}
	if m.Flooded {
		match = append(match, "many")
	}
	actions = words(f.Actions)
	if f.Next != 0 {
		actions = append(actions, fmt.Sprintf("goto %d", f.Next))
	}
	return fmt.Sprintf("%d/%d %s: %s", f.Table, f.Priority, strings.Join(match, " "), strings.Join(actions, ", "))
}

func words(all []openflow.Action) (actions []string) {
	for _, a := range all {
		switch a := a.(type) {
		case openflow.Apart:
			actions = append(actions, "apart("+strings.Join(words(a), ", ")+")")
		case openflow.SetTunnelID:
			actions = append(actions, fmt.Sprintf("id %d", a))
		case openflow.SetTunnelDestination:
			actions = append(actions, "to "+netip.Addr(a).String())
		case openflow.Output:
			actions = append(actions, fmt.Sprintf("out %d", a))
		case openflow.Police:
			actions = append(actions, fmt.Sprintf("police %d", a))
		case openflow.Settle:
			actions = append(actions, "settle")
		}
	}
	return actions
}

func TestMeters(t *testing.T) {
	m := newMeters()
	east, vtep := meterKey{peer: "east"}, meterKey{"east", at("192.0.2.1")}
	first, puts := m.need(5001, east, 100)
	if first != 1 || len(puts) != 1 || puts[0] != openflow.Change(openflow.PutMeter{ID: 1, Rate: 100}) {
		t.Errorf("the first meter is %d, written by %v", first, puts)
	}
	if second, _ := m.need(5002, east, 100); second == first {
		t.Error("two networks have one meter: one's flood stops the other's")
	}
	if again, puts := m.need(5001, east, 100); again != first || len(puts) != 0 {
		t.Errorf("the same meter is %d now, written by %v", again, puts)
	}
	if again, puts := m.need(5001, east, 50); again != first || len(puts) != 1 {
		t.Errorf("a meter of another rate is %d, written by %v", again, puts)
	}
	other, _ := m.need(5001, vtep, 100)
	if other == first {
		t.Error("what a peer floods and what is flooded to it have one meter")
	}
	if gone := m.keep(5001, map[meterKey]bool{east: true}); len(gone) != 1 || gone[0] != openflow.Change(openflow.DeleteMeter(other)) || len(m.of[5001]) != 1 {
		t.Errorf("a VTEP that is gone is freed by %v, and %v is left", gone, m.of)
	}
	if gone := m.keep(5001, nil); len(gone) != 1 || len(m.of) != 1 {
		t.Errorf("a network that is gone is freed by %v, and %v is left", gone, m.of)
	}
}
