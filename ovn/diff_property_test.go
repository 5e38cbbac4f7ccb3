package ovn

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// Few values each, so that they often meet.
var (
	someNames     = []string{"l2sm/default/a", "l2sm/default/b", "l2sm/default/c", "l2sm/default/d"}
	foreignNames  = []string{"uplink", "router", "l2sm/default/a"}
	someUIDs      = rapid.SampledFrom([]string{"uid-1", "uid-2"})
	someAddresses = rapid.SliceOfN(rapid.SampledFrom([]string{"mac-1", "mac-2 ip", "unknown"}), 0, 4)
	somePort      = rapid.Custom(drawPort)
	someDHCP      = rapid.Custom(drawDHCP)
	someNetwork   = rapid.Custom(drawNetwork)
	someState     = rapid.Custom(drawState)
)

func drawPort(t *rapid.T) Port {
	return Port{
		Name:         rapid.SampledFrom(someNames).Draw(t, "name"),
		Owner:        someUIDs.Draw(t, "owner"),
		Addresses:    someAddresses.Draw(t, "addresses"),
		PortSecurity: someAddresses.Draw(t, "security"),
		Type:         rapid.SampledFrom([]string{"", "localnet"}).Draw(t, "type"),
		Options:      rapid.MapOfN(rapid.Just("requested-chassis"), rapid.SampledFrom([]string{"n1", "n2"}), 0, 1).Draw(t, "options"),
		TunnelKey:    rapid.IntRange(0, 2).Draw(t, "key"),
		Permit:       rapid.SampledFrom([]string{"", "1", "udp"}).Draw(t, "permit"),
	}
}

func drawDHCP(t *rapid.T) DHCP {
	return DHCP{
		CIDR:    rapid.SampledFrom([]string{"10.1.0.0/24", "10.2.0.0/24", "fd00:1::/64"}).Draw(t, "cidr"),
		Options: map[string]string{"mtu": rapid.SampledFrom([]string{"1400", "1442"}).Draw(t, "mtu")},
	}
}

func drawNetwork(t *rapid.T) Network {
	return Network{
		Key: Key{Namespace: "default", Name: "ping"},
		UID: someUIDs.Draw(t, "uid"),

		TunnelKey: rapid.IntRange(0, 2).Draw(t, "key"),
		Tags:      rapid.Bool().Draw(t, "tags"),
		FDBAge:    rapid.SampledFrom([]int{0, 300}).Draw(t, "age"),
		Guard:     rapid.SampledFrom([]string{"", "udp", "tcp"}).Draw(t, "guard"),
		Ports:     rapid.SliceOfDistinct(somePort, func(p Port) string { return p.Name }).Draw(t, "ports"),
		DHCP:      rapid.SliceOfNDistinct(someDHCP, 0, 2, func(d DHCP) family { return must(familyOf(d.CIDR)) }).Draw(t, "dhcp"),
	}
}

// drawState returns what a database may hold: what some network wanted at some
// time, and what people made of it.
func drawState(t *rapid.T) held {
	before := someNetwork.Draw(t, "before")
	s := holding(before, func(s *held) {
		if rapid.Bool().Draw(t, "renamed") {
			s.sw.Name = "renamed"
		}
		if rapid.Bool().Draw(t, "doubled") {
			s.surplus = []switchRow{{UUID: "surplus"}}
		}
	})
	for i := range s.ports {
		if rapid.Bool().Draw(t, "elsewhere") {
			s.ports[i].elsewhere = []switchRow{{UUID: "other"}}
		}
	}
	for i := range s.dhcp {
		if rapid.Bool().Draw(t, "unreadable") {
			s.dhcp[i].cidr = "none"
		}
		if rapid.Bool().Draw(t, "doubled set") {
			again := s.dhcp[i]
			again.uuid = "a second " + again.uuid
			s.dhcp = append(s.dhcp, again)
		}
	}
	for i := range s.acls {
		if rapid.Bool().Draw(t, "edited rule") {
			s.acls[i].rule.priority = 1
		}
		if rapid.Bool().Draw(t, "doubled rule") {
			again := s.acls[i]
			again.uuid = "a second " + again.uuid
			s.acls = append(s.acls, again)
		}
	}
	for i := range s.ports {
		if rapid.Bool().Draw(t, "without DHCP") {
			s.ports[i].dhcp = refs{}
		}
	}
	if name := rapid.SampledFrom(foreignNames).Draw(t, "foreign"); !slices.ContainsFunc(s.ports, func(r portRow) bool { return r.name == name }) {
		s.ports = append(s.ports, portRow{uuid: "foreign", name: name})
	}
	if rapid.Bool().Draw(t, "without a switch") {
		s.sw, s.surplus, s.acls = nil, nil, nil
		s.ports = slices.DeleteFunc(s.ports, func(r portRow) bool { return len(r.elsewhere) == 0 })
		s.foreign = rapid.Bool().Draw(t, "foreign switch")
	}
	return s
}

// carriedOut returns the state of a database after the plan.
func carriedOut(p Plan, s held) held {
	sw, dhcp, ports := p.steps[0].(switchSteps), p.steps[1].(dhcpSteps), p.steps[2].(portSteps)
	after := held{sw: s.sw, foreign: s.foreign}
	if !sw.empty() {
		after.sw = &switchRow{
			UUID: p.sw.UUID, Name: p.network.Switch(), OtherConfig: configOf(p.network), ExternalIDs: networkIDs(p.network),
		}
	}

	sets := map[string]dhcpRow{}
	for _, r := range s.dhcp {
		sets[r.uuid] = r
	}
	for _, r := range dhcp.remove {
		delete(sets, r.uuid)
	}
	for f, set := range dhcp.sets {
		if set != nil && (set.create || set.write) {
			uuid := dhcp.refs()[f]
			sets[uuid] = setFor(p.network, set.DHCP, uuid)
		}
	}
	after.dhcp = slices.Collect(maps.Values(sets))

	rows := map[string]portRow{}
	for _, r := range s.ports {
		for f, uuid := range r.dhcp {
			if _, found := sets[uuid]; !found {
				r.dhcp[f] = "" // as the server does
			}
		}
		rows[r.uuid] = r
	}
	for _, r := range ports.remove {
		delete(rows, r.uuid)
	}
	for _, m := range slices.Concat(ports.move, ports.change) {
		rows[m.row.uuid] = rowFor(p.network, m.Port, m.row.uuid, dhcp.refs())
	}
	for _, a := range ports.add {
		rows["new row of "+a.Name] = rowFor(p.network, a, "new row of "+a.Name, dhcp.refs())
	}
	after.ports = slices.Collect(maps.Values(rows))
	after.acls = aclsAfter(p.steps[3].(aclSteps), s.acls)
	return after
}

func aclsAfter(steps aclSteps, before []aclRow) []aclRow {
	rows := map[string]aclRow{}
	for _, r := range before {
		rows[r.uuid] = r
	}
	for _, uuid := range steps.remove {
		delete(rows, uuid)
	}
	for _, w := range slices.Concat(steps.write, steps.create) {
		rows[w.row.uuid] = aclRow{w.row.uuid, w.rule, w.ids}
	}
	return slices.Collect(maps.Values(rows))
}

func rowFor(n Network, p Port, uuid string, dhcp refs) portRow {
	return portRow{uuid: uuid, name: p.Name, kind: p.Type, ids: portIDs(n, p), options: optionsOf(p), addresses: p.Addresses, security: p.PortSecurity, dhcp: dhcp}
}

func setFor(n Network, set DHCP, uuid string) dhcpRow {
	return dhcpRow{uuid: uuid, cidr: set.CIDR, options: set.Options, ids: networkIDs(n)}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What Diff plans makes any state the desired one, leaves what is others' as
// it is, and is refused only where a foreign row is in the way.
func TestDiffReachesDesired(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := someNetwork.Draw(t, "desired")
		actual := someState.Draw(t, "actual")

		plan, err := diff(want, actual)
		var foreign *ForeignError
		if blocked := isBlocked(want, actual); blocked || err != nil {
			if !blocked || !errors.As(err, &foreign) {
				t.Fatalf("blocked by a foreign row: %t, error: %v", blocked, err)
			}
			return
		}

		after := carriedOut(plan, actual)
		if again, err := diff(want, after); err != nil || !again.Empty() {
			t.Fatalf("a second Diff finds %+v, error %v", again, err)
		}
		byUUID := cmpopts.SortSlices(func(a, b portRow) bool { return a.uuid < b.uuid })
		exported := cmp.AllowUnexported(portRow{}, switchRow{})
		if diff := cmp.Diff(foreignRows(actual), foreignRows(after), byUUID, exported, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("foreign rows (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(portNames(want), ourNames(after), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("our ports (-want +got):\n%s", diff)
		}
		checkDHCP(t, want, after)
		checkACLs(t, want, after)
	})
}

// checkDHCP fails the test unless the state has the network's sets, no other,
// and its ports refer to them.
func checkDHCP(t *rapid.T, want Network, got held) {
	t.Helper()
	var wantRefs refs
	var wantSets []dhcpRow
	for _, set := range want.DHCP {
		f := must(familyOf(set.CIDR))
		for _, r := range got.dhcp {
			if r.cidr == set.CIDR {
				wantRefs[f] = r.uuid
			}
		}
		wantSets = append(wantSets, setFor(want, set, wantRefs[f]))
	}

	byUUID := cmpopts.SortSlices(func(a, b dhcpRow) bool { return a.uuid < b.uuid })
	if diff := cmp.Diff(wantSets, got.dhcp, byUUID, cmp.AllowUnexported(dhcpRow{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("sets of DHCP options (-want +got):\n%s", diff)
	}
	for _, r := range got.ports {
		if isOurs(r.ids) && len(r.elsewhere) == 0 && r.dhcp != wantRefs {
			t.Errorf("port %q refers to the sets %q, want %q", r.name, r.dhcp, wantRefs)
		}
	}
}

// checkACLs fails the test unless the state has the network's rules, and no
// other.
func checkACLs(t *rapid.T, want Network, got held) {
	t.Helper()
	var wanted, has []rule
	for _, w := range (aclRows{}).wanted(want) {
		wanted = append(wanted, w.rule)
	}
	for _, r := range got.acls {
		has = append(has, r.rule)
	}
	byMatch := cmpopts.SortSlices(func(a, b rule) bool { return a.match < b.match })
	if diff := cmp.Diff(wanted, has, byMatch, cmp.AllowUnexported(rule{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// Equal input makes equal transactions, in whatever order it comes.
func TestDiffIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := someNetwork.Draw(t, "desired")
		actual := someState.Draw(t, "actual")
		one, err := diff(want, actual)
		if err != nil {
			return // TestDiffReachesDesired says when that is right
		}

		want.Ports = rapid.Permutation(want.Ports).Draw(t, "desired, shuffled")
		want.DHCP = rapid.Permutation(want.DHCP).Draw(t, "desired sets, shuffled")
		actual.ports = rapid.Permutation(actual.ports).Draw(t, "actual, shuffled")
		actual.acls = rapid.Permutation(actual.acls).Draw(t, "actual rules, shuffled")
		actual.dhcp = rapid.Permutation(actual.dhcp).Draw(t, "actual sets, shuffled")
		two, err := diff(want, actual)
		if err != nil {
			t.Fatalf("Diff of the same, shuffled: %v", err)
		}
		if diff := cmp.Diff(one.operations(), two.operations()); diff != "" {
			t.Errorf("transactions of the same, shuffled:\n%s", diff)
		}
	})
}

// The fingerprints of what was applied tell of each difference that Diff finds,
// and of no other.
func TestExpectedIsWhatDiffCompares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := someNetwork.Draw(t, "desired")
		actual := someState.Draw(t, "actual")
		if rapid.Bool().Draw(t, "nearly as applied") {
			actual = holding(nearly(t, want))
		}
		e := newExpected()
		e.replace(want)
		names := setOf(slices.Concat(portNames(want), ourNames(actual)))

		plan, err := diff(want, actual)
		same := err == nil && plan.Empty()
		if met := e.networks[want.Key].compared(e, names).met(actual.state()); met != same {
			t.Errorf("as expected: %t, though Diff finds %+v, error %v", met, plan.result(), err)
		}
	})
}

// nearly returns the network with one thing changed, perhaps to what it was.
func nearly(t *rapid.T, n Network) Network {
	other := someNetwork.Draw(t, "other")
	switch what := rapid.IntRange(0, 5+len(n.Ports)).Draw(t, "changed"); what {
	case 0:
		n.UID = other.UID
	case 1:
		n.TunnelKey = other.TunnelKey
	case 2:
		n.DHCP = other.DHCP
	case 3:
		n.Guard = other.Guard
	case 4:
		n.FDBAge, n.Tags = other.FDBAge, other.Tags
	case 5:
	default:
		n.Ports = slices.Clone(n.Ports)
		port := somePort.Draw(t, "port")
		port.Name = n.Ports[what-6].Name
		n.Ports[what-6] = port
	}
	return n
}

func isBlocked(n Network, s held) bool {
	if s.sw == nil && s.foreign {
		return true
	}
	return slices.ContainsFunc(foreignRows(s), func(r portRow) bool { return slices.Contains(portNames(n), r.name) })
}

func foreignRows(s held) []portRow {
	return slices.DeleteFunc(slices.Clone(s.ports), func(r portRow) bool { return isOurs(r.ids) })
}

func portNames(n Network) []string {
	var names []string
	for _, p := range n.Ports {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// ourNames returns the names of our ports on the network's switch.
func ourNames(s held) []string {
	var names []string
	for _, r := range s.ports {
		if isOurs(r.ids) && len(r.elsewhere) == 0 {
			names = append(names, r.name)
		}
	}
	slices.Sort(names)
	return names
}
