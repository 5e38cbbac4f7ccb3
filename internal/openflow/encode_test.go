package openflow

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"
)

var (
	four = netip.MustParseAddr("192.0.2.7")
	six  = netip.MustParseAddr("2001:db8::7")
)

// Each length of the protocol counts something else: a match's leaves its padding out, an
// action's does not.
func TestLengths(t *testing.T) {
	actions := map[string]Action{
		"tunnel id": SetTunnelID(5001), "IPv4 destination": SetTunnelDestination(four), "IPv6 destination": SetTunnelDestination(six),
		"output": Output(3), "meter": Police(9), "settle": Settle{}, "apart": Apart{Police(9), SetTunnelDestination(six), Output(3)}, "nothing apart": Apart{},
	}
	for name, action := range actions {
		b := action.encode()
		if len(b)%8 != 0 || int(be.Uint16(b[2:])) != len(b) {
			t.Errorf("%s has %d bytes and says %d: whole words of 64 bits, padding included", name, len(b), be.Uint16(b[2:]))
		}
	}
	matches := map[string]struct {
		match Match
		want  int
	}{
		"all":              {Match{}, 4},
		"port":             {Match{InPort: 1}, 12},
		"tunnel from IPv4": {Match{InPort: 1, TunnelID: 2, TunnelSource: four}, 4 + 8 + 12 + 8},
		"tunnel from IPv6": {Match{InPort: 1, TunnelID: 2, TunnelSource: six}, 4 + 8 + 12 + 20},
		"one MAC address":  {Match{TunnelID: 2, Destination: MAC{2}}, 4 + 10 + 12},
		"frames to many":   {Match{TunnelID: 2, Flooded: true}, 4 + 16 + 12},
	}
	for name, tc := range matches {
		b := tc.match.encode()
		if len(b)%8 != 0 || len(b)-tc.want >= 8 || int(be.Uint16(b[2:])) != tc.want {
			t.Errorf("match of %s has %d bytes and says %d, want %d without padding", name, len(b), be.Uint16(b[2:]), tc.want)
		}
	}
}

// A message inside a bundle has the number of the one around it (OFPBFC_MSG_BAD_XID).
func TestBundleAdd(t *testing.T) {
	m, err := bundleAdd(7, 0x01020304, typeFlowMod, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	inner := m[headerLength+8:]
	if !bytes.Equal(m[4:8], inner[4:8]) || int(be.Uint16(m[2:])) != len(m) || int(be.Uint16(inner[2:])) != len(inner) {
		t.Errorf("bundle's message %x holds %x", m, inner)
	}
}

func TestFlowsThatAreNotSent(t *testing.T) {
	flood := func(outputs int) Flow {
		f := Flow{Key: Key{Table: 1}}
		for i := range outputs {
			f.Actions = append(f.Actions, Output(i+1))
		}
		return f
	}
	nested := Apart{}
	for range 1 << 13 {
		nested = append(nested, Police(1))
	}
	cases := map[string]struct {
		reason string
		flow   Flow
		ok     bool
	}{
		"Drop":            {"a flow may do nothing", Flow{}, true},
		"Flood":           {"many outputs fit into a message", flood(4000), true},
		"TooMany":         {"what does not fit must not wrap round", flood(4096), false},
		"TooManyApart":    {"nor inside an action", Flow{Actions: []Action{nested}}, false},
		"NoPort":          {"a port without a number is a bug of the caller's: 0 means none", Flow{Actions: []Action{Output(0)}}, false},
		"Reserved":        {"numbers above the ports' mean flooding, or the bridge's own port", Flow{Actions: []Action{Output(0xfffffffb)}}, false},
		"NoMeter":         {"meters begin at 1", Flow{Actions: []Action{Apart{Police(0)}}}, false},
		"PolicedIn":       {"a patch leads to actions in a list of their own", Flow{Actions: []Action{Police(1), Output(2)}}, false},
		"SettledIn":       {"and Settle keeps the meter out of it", Flow{Actions: []Action{Police(1), Settle{}, Output(2)}}, true},
		"PolicedApart":    {"a copy is a list of its own", Flow{Actions: []Action{Police(1), Apart{Output(2)}}}, false},
		"PolicedOne":      {"one tunnel's output is in the meter's list", Flow{Actions: []Action{Apart{Police(1), SetTunnelDestination(four), Output(2)}}}, true},
		"PolicedTwo":      {"of two, the first may be in its own", Flow{Actions: []Action{Apart{Police(1), Output(2), Output(3)}}}, false},
		"SettledTwo":      {"and Settle stands before both", Flow{Actions: []Action{Apart{Police(1), Settle{}, Output(2), Output(3)}}}, true},
		"SettledTooEarly": {"of another meter", Flow{Actions: []Action{Settle{}, Police(1), Output(2)}}, false},
		"NoDestination":   {"an address that is missing has no bytes", Flow{Actions: []Action{SetTunnelDestination{}}}, false},
		"LongID":          {"VXLAN's identifiers have 24 bits", Flow{Actions: []Action{SetTunnelID(1 << 24)}}, false},
		"Backwards":       {"tables go on to later ones", Flow{Key: Key{Table: 2}, Next: 1}, false},
		"ManyAndOne":      {"two matches of one field", Flow{Key: Key{Match: Match{Flooded: true, Destination: MAC{1}}}}, false},
		"MappedV4":        {"an IPv4 address in IPv6's form would match nothing", Flow{Key: Key{Match: Match{TunnelSource: netip.MustParseAddr("::ffff:192.0.2.1")}}}, false},
		"MappedV4Actions": {"nor lead anywhere", Flow{Actions: []Action{SetTunnelDestination(netip.MustParseAddr("::ffff:192.0.2.1"))}}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, flows, _, err := sorted([]Change{PutFlow{Flow: tc.flow}})
			if (err == nil) != tc.ok {
				t.Errorf("%s: encode %s: %v", tc.reason, tc.flow.Key, err)
			}
			if err != nil {
				return
			}
			if _, err := bundleAdd(1, 1, typeFlowMod, flows[0].body); err != nil {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
	if _, err := message(typeFlowMod, 1, make([]byte, maxLength-headerLength+1)); !errors.Is(err, errTooLong) {
		t.Errorf("a message of 65536 bytes: %v", err)
	}
}

func TestErrorNamesTheFlow(t *testing.T) {
	key := Key{Table: 1, Priority: 20, Match: Match{InPort: 3, TunnelID: 5001, Destination: MAC{2, 0xaa}, TunnelSource: six}}
	const want = "table=1,priority=20,in_port=3,dl_dst=02:aa:00:00:00:00,tun_id=5001,tun_ipv6_src=2001:db8::7"
	if key.String() != want {
		t.Errorf("key is written as\n%s, want\n%s", key, want)
	}
	err := fmt.Errorf("apply: %w", &RefusedError{What: PutFlow{Flow: Flow{Key: key}}.String(), Type: 2, Code: 4, More: 1})
	for _, part := range []string{want, "bad action", "code 4", "1 more"} {
		if !bytes.Contains([]byte(err.Error()), []byte(part)) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
