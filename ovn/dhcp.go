package ovn

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// DHCP is what OVN answers to a network's ports that ask for their addresses
// of one family: a row of DHCP_Options (ovn-nb(5)). The address itself is the
// port's own.
type DHCP struct {
	// CIDR is the subnet, and tells the family. OVN answers to ports that have
	// an address in it.
	CIDR string

	// Options as ovn-nb(5) spells them, without quotes. OVN answers nothing
	// where server_id or, for IPv4, server_mac or lease_time is missing.
	Options map[string]string
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

// dhcpPlan is the part of a [Plan] about DHCP_Options.
type dhcpPlan struct {
	sets   [2]*dhcpSet // by family; nil where the network has none
	remove []dhcpRow
}

// dhcpSet is a desired set and the row that becomes it.
type dhcpSet struct {
	DHCP
	row   *dhcpRow // nil: to be made
	write bool     // row is not as it should be
}

// diffDHCP finds a row for each set that the network, which is valid, shall
// have. One row of a family is enough, whatever it says by now: ports refer to
// it, and it is rewritten in place.
func diffDHCP(n Network, rows []dhcpRow) dhcpPlan {
	var p dhcpPlan
	for _, set := range n.DHCP {
		if f, err := familyOf(set.CIDR); err == nil {
			p.sets[f] = &dhcpSet{DHCP: set}
		}
	}

	rows = slices.SortedFunc(slices.Values(rows), func(a, b dhcpRow) int { return cmp.Compare(a.uuid, b.uuid) })
	for _, row := range rows {
		f, err := familyOf(row.cidr)
		if err != nil || p.sets[f] == nil || p.sets[f].row != nil {
			p.remove = append(p.remove, row)
			continue
		}
		p.sets[f].row, p.sets[f].write = &row, !row.is(n, p.sets[f].DHCP)
	}
	return p
}

// empty says that nothing differs.
func (p dhcpPlan) empty() bool {
	return len(p.remove) == 0 && !slices.ContainsFunc(p.sets[:], func(s *dhcpSet) bool {
		return s != nil && (s.row == nil || s.write)
	})
}

// refs are what the network's ports shall refer to: for a set that is still to
// be made its name inside the transaction.
func (p dhcpPlan) refs() refs {
	var r refs
	for f, set := range p.sets {
		switch {
		case set == nil:
		case set.row == nil:
			r[f] = newDHCP(family(f))
		default:
			r[f] = set.row.uuid
		}
	}
	return r
}

// guards fail the transaction when a set it makes has been made by now, or a
// row it keeps has gone: a port's reference to no row is dropped without a
// word.
func (p dhcpPlan) guards(n Network) []ovsdb.Operation {
	var guards []ovsdb.Operation
	for _, set := range p.sets {
		switch {
		case set == nil:
		case set.row == nil:
			guards = append(guards, wait(nb.DHCPOptionsTable, "cidr", ovsdb.WaitConditionNotEqual, set.CIDR,
				ovsdb.NewCondition("external_ids", ovsdb.ConditionIncludes, stringMap(map[string]string{networkID: n.String()})),
				ovsdb.NewCondition("cidr", ovsdb.ConditionEqual, set.CIDR)))
		default:
			guards = append(guards, wait(nb.DHCPOptionsTable, "cidr", ovsdb.WaitConditionEqual, set.row.cidr, row(set.row.uuid)...))
		}
	}
	return guards
}

func (p dhcpPlan) operations(n Network) []ovsdb.Operation {
	var ops []ovsdb.Operation
	for f, set := range p.sets {
		switch {
		case set == nil:
		case set.row == nil:
			ops = append(ops, ovsdb.Operation{
				Op: ovsdb.OperationInsert, Table: nb.DHCPOptionsTable, UUIDName: newDHCP(family(f)),
				Row: ovsdb.Row{
					"cidr":         set.CIDR,
					"options":      stringMap(set.Options),
					"external_ids": stringMap(networkIDs(n)),
				},
			})
		case set.write:
			ops = append(ops, ovsdb.Operation{
				Op: ovsdb.OperationUpdate, Table: nb.DHCPOptionsTable, Where: row(set.row.uuid),
				Row: ovsdb.Row{"cidr": set.CIDR, "options": stringMap(set.Options)},
			}, label(nb.DHCPOptionsTable, set.row.uuid, networkIDs(n)))
		}
	}
	return append(ops, deleteDHCP(p.remove)...)
}

// deleteDHCP deletes sets: no other row keeps them, nor takes them along when
// it goes. The references to them are cleared by the server.
func deleteDHCP(rows []dhcpRow) []ovsdb.Operation {
	var ops []ovsdb.Operation
	for _, r := range rows {
		ops = append(ops, ovsdb.Operation{Op: ovsdb.OperationDelete, Table: nb.DHCPOptionsTable, Where: row(r.uuid)})
	}
	return ops
}

// newDHCP is the name, inside a transaction, of the set it makes of a family.
func newDHCP(f family) string {
	return [...]string{v4: "dhcpv4", v6: "dhcpv6"}[f]
}

// dhcpRow is a row of DHCP_Options, as far as it is ours.
type dhcpRow struct {
	uuid    string
	cidr    string
	options map[string]string
	ids     map[string]string
}

// is says whether the row is what the network's set shall be.
func (r dhcpRow) is(n Network, set DHCP) bool {
	return r.cidr == set.CIDR && maps.Equal(r.options, set.Options) && carries(r.ids, networkIDs(n))
}

func dhcpRowOf(row *nb.DHCPOptions) dhcpRow {
	return dhcpRow{uuid: row.UUID, cidr: row.Cidr, options: row.Options, ids: row.ExternalIDs}
}
