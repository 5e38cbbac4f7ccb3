package ovn

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// dhcpKind is the network's sets of DHCP options.
type dhcpKind struct{}

// DHCP is what OVN answers to a network's ports that ask for their addresses
// of one family: a row of DHCP_Options (ovn-nb(5)). The address itself is the
// port's own.
type DHCP struct {
	// CIDR is the subnet, and tells the family. OVN answers to ports that have
	// an address in it.
	CIDR string `json:"cidr"`

	// Options as ovn-nb(5) spells them, without quotes. OVN answers nothing
	// where server_id or, for IPv4, server_mac or lease_time is missing.
	Options map[string]string `json:"options,omitempty"`
}

// family is one of the two that a network may have a set of options for.
type family int

const (
	v4 family = iota
	v6
)

// refs are the rows of DHCP_Options that a port refers to, by family: their
// UUIDs, empty for none.
type refs [2]string

// column is the port's column that refers to the set of the family.
func (f family) column() string {
	return [...]string{v4: "dhcpv4_options", v6: "dhcpv6_options"}[f]
}

func familyOf(cidr string) (family, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return 0, err
	}
	if prefix.Addr().Is4() {
		return v4, nil
	}
	return v6, nil
}

// validateDHCP reports sets that no database could hold.
func validateDHCP(sets []DHCP) error {
	var seen [2]bool
	for _, set := range sets {
		f, err := familyOf(set.CIDR)
		if err != nil {
			return fmt.Errorf("DHCP of %q: %w", set.CIDR, err)
		}
		if seen[f] {
			return fmt.Errorf("DHCP of %q: another set is of the same family", set.CIDR)
		}
		seen[f] = true
	}
	return nil
}

// dhcpRow is a row of DHCP_Options, as far as it is ours.
type dhcpRow struct {
	uuid    string
	cidr    string
	options map[string]string
	ids     map[string]string
}

func (dhcpKind) replicated() replicated {
	m := &dhcpModel{}
	return replicated{
		table: nb.DHCPOptionsTable, model: m,
		columns:    []any{&m.CIDR, &m.Options, &m.ExternalIDs},
		identities: []string{v4.column(), v6.column()},
	}
}

func (dhcpKind) labels(row model.Model) labels {
	set := row.(*dhcpModel).unpacked()
	return labels{uuid: set.UUID, ids: set.ExternalIDs}
}

// dhcpRows are the sets that a database has of a network.
type dhcpRows struct {
	rows []dhcpRow
	uuid [2]string // what to create sets with, by family
}

func (dhcpKind) read(r replica, t target, _ *State) (rows, error) {
	found := dhcpRows{rows: r.dhcpOf(t.Key)}
	for _, set := range t.DHCP {
		if f, err := familyOf(set.CIDR); err == nil {
			found.uuid[f] = r.identity(nb.DHCPOptionsTable, t.Key, f.column())
		}
	}
	return found, nil
}

// dhcpOf returns the sets of DHCP options of a network.
func (r replica) dhcpOf(key Key) []dhcpRow {
	var sets []dhcpRow
	for _, row := range r.rowsOf(nb.DHCPOptionsTable, key) {
		if set := row.(*dhcpModel); set.ExternalIDs[networkID] == key.String() {
			sets = append(sets, dhcpRow{uuid: set.UUID, cidr: set.CIDR, options: set.Options, ids: set.ExternalIDs})
		}
	}
	return sets
}

// dhcpSteps are what must be done to the sets.
type dhcpSteps struct {
	sets   [2]*dhcpSet // by family; nil where the network has none
	remove []dhcpRow
}

// dhcpSet is a desired set and the row that becomes it.
type dhcpSet struct {
	DHCP
	row    dhcpRow
	create bool // the row must be created
	write  bool // it is not as it should be
}

// diff finds a row for each set that the network, which is valid, must have.
// One row of a family is enough, whatever it says by now: ports refer to it,
// and it is rewritten in place.
func (r dhcpRows) diff(n Network, p *Plan) (steps, error) {
	var s dhcpSteps
	for _, set := range n.DHCP {
		if f, err := familyOf(set.CIDR); err == nil {
			s.sets[f] = &dhcpSet{DHCP: set, create: true, row: dhcpRow{uuid: r.uuid[f]}}
		}
	}

	rows := slices.SortedFunc(slices.Values(r.rows), func(a, b dhcpRow) int { return cmp.Compare(a.uuid, b.uuid) })
	for _, row := range rows {
		f, err := r.family(row)
		if err != nil || s.sets[f] == nil || !s.sets[f].create {
			s.remove = append(s.remove, row)
			continue
		}
		set := s.sets[f]
		set.row, set.create, set.write = row, false, !row.is(n, set.DHCP)
	}
	p.refs = s.refs()
	p.wide = p.wide || len(s.remove) > 0 || slices.ContainsFunc(s.sets[:], func(s *dhcpSet) bool { return s != nil && s.create })
	return s, nil
}

func (r dhcpRows) tell(n *Network) {
	for _, row := range r.rows {
		n.DHCP = append(n.DHCP, DHCP{CIDR: row.cidr, Options: row.options})
	}
}

// family is what the row serves: by its UUID, whatever somebody made of its
// subnet, otherwise by its subnet.
func (r dhcpRows) family(row dhcpRow) (family, error) {
	if f := slices.Index(r.uuid[:], row.uuid); f >= 0 {
		return family(f), nil
	}
	return familyOf(row.cidr)
}

// refs are what the network's ports must refer to.
func (s dhcpSteps) refs() refs {
	var r refs
	for f, set := range s.sets {
		if set != nil {
			r[f] = set.row.uuid
		}
	}
	return r
}

func (s dhcpSteps) empty() bool {
	return len(s.remove) == 0 && !slices.ContainsFunc(s.sets[:], func(s *dhcpSet) bool {
		return s != nil && (s.create || s.write)
	})
}

// guards fail the transaction when a row it keeps has gone: a port's reference
// to no row is dropped silently.
func (s dhcpSteps) guards(Plan) []ovsdb.Operation {
	var guards []ovsdb.Operation
	for _, set := range s.sets {
		if set != nil && !set.create {
			guards = append(guards, wait(nb.DHCPOptionsTable, "cidr", set.row.cidr, row(set.row.uuid)...))
		}
	}
	return guards
}

// operations delete sets that are not wanted: no other row keeps them, nor
// takes them along when it goes. The server clears the references to them.
func (s dhcpSteps) operations(p Plan) []ovsdb.Operation {
	var ops []ovsdb.Operation
	ids := networkIDs(p.network)
	for _, set := range s.sets {
		switch {
		case set == nil:
		case set.create:
			ops = append(ops, ovsdb.Operation{
				Op: ovsdb.OperationInsert, Table: nb.DHCPOptionsTable, UUID: set.row.uuid,
				Row: ovsdb.Row{
					"cidr":         set.CIDR,
					"options":      stringMap(set.Options),
					"external_ids": stringMap(ids),
				},
			})
		case set.write:
			ops = append(ops, ovsdb.Operation{
				Op: ovsdb.OperationUpdate, Table: nb.DHCPOptionsTable, Where: row(set.row.uuid),
				Row: ovsdb.Row{"cidr": set.CIDR, "options": stringMap(set.Options)},
			}, label(nb.DHCPOptionsTable, set.row.uuid, ids))
		}
	}
	for _, r := range s.remove {
		ops = append(ops, deleteRows(nb.DHCPOptionsTable, r.uuid)...)
	}
	return ops
}

func (dhcpKind) deletion(r replica, key Key) ([]ovsdb.Operation, error) {
	return dhcpSteps{remove: r.dhcpOf(key)}.operations(Plan{}), nil
}

// is says whether the row is what the network's set must be.
func (r dhcpRow) is(n Network, set DHCP) bool {
	return r.cidr == set.CIDR && maps.Equal(r.options, set.Options) && carries(r.ids, networkIDs(n))
}

func (dhcpKind) list(r replica, c *Contents) {
	for _, row := range r.table(nb.DHCPOptionsTable).RowsShallow() {
		set := row.(*dhcpModel).unpacked()
		if !isOurs(set.ExternalIDs) {
			continue
		}
		key, _ := parseKey(set.ExternalIDs[networkID])
		c.DHCP = append(c.DHCP, ListedDHCP{
			DHCP: DHCP{CIDR: set.CIDR, Options: set.Options}, Network: key, UID: set.ExternalIDs[networkUIDID],
		})
	}
}

func (dhcpKind) listed(n Network, c *Contents) {
	for _, set := range n.DHCP {
		c.DHCP = append(c.DHCP, ListedDHCP{DHCP: set, Network: n.Key, UID: n.UID})
	}
}
