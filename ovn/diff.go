package ovn

import (
	"cmp"
	"fmt"
	"slices"
)

// ForeignError says that a row has a name of ours but not our external_ids:
// somebody else made it. It is left alone, and nothing of the network is
// written until it is gone.
type ForeignError struct {
	// Kind is "logical switch" or "logical switch port".
	Kind string

	// Name is the row's name.
	Name string
}

// Error names the row and says what to do about it.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s %q was not made by l2sm: remove or rename it", e.Kind, e.Name)
}

// Plan is what must be done to a database to make it hold a network. It is
// made by [Diff]; its zero value does nothing.
type Plan struct {
	network Network
	create  bool        // the switch must be made
	sw      switchRow   // the switch, unless create
	relabel bool        // the switch's name or external_ids must be written
	surplus []switchRow // further switches of the network, to be removed
	dhcp    dhcpPlan

	// All in the order of names, so that equal input makes equal transactions.
	add    []Port
	move   []placement
	change []placement
	remove []portRow
}

// placement is a desired port and the row that becomes it.
type placement struct {
	Port
	row portRow
}

// Empty says that nothing differs.
func (p Plan) Empty() bool {
	return !p.create && !p.relabel && p.dhcp.empty() &&
		len(p.surplus)+len(p.add)+len(p.move)+len(p.change)+len(p.remove) == 0
}

// Diff finds what must be done so that a database that holds actual holds
// desired. It is pure. A [ForeignError] says that another's row is in the way.
func Diff(desired Network, actual State) (Plan, error) {
	if actual.sw == nil && actual.foreign {
		return Plan{}, &ForeignError{Kind: "logical switch", Name: desired.Switch()}
	}

	p := Plan{network: desired, create: actual.sw == nil, surplus: actual.surplus, dhcp: diffDHCP(desired, actual.dhcp)}
	if !p.create {
		p.sw = *actual.sw
		p.relabel = p.sw.name != desired.Switch() || !carries(p.sw.ids, networkIDs(desired))
	}

	rows := make(map[string]portRow, len(actual.ports))
	for _, row := range actual.ports {
		rows[row.name] = row
	}

	dhcp := p.dhcp.refs()
	for _, port := range desired.Ports {
		row, found := rows[port.Name]
		delete(rows, port.Name)
		switch {
		case !found:
			p.add = append(p.add, port)
		case !isOurs(row.ids):
			return Plan{}, &ForeignError{Kind: "logical switch port", Name: port.Name}
		case len(row.elsewhere) > 0:
			p.move = append(p.move, placement{port, row})
		case !row.is(desired, port, dhcp):
			p.change = append(p.change, placement{port, row})
		}
	}

	for _, row := range rows {
		leaving := slices.Contains(desired.Leaving, row.name)
		if isOurs(row.ids) && len(row.elsewhere) == 0 && !leaving {
			p.remove = append(p.remove, row)
		}
	}

	p.sort()
	return p, nil
}

func (p Plan) sort() {
	byName := func(a, b placement) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(p.add, func(a, b Port) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(p.move, byName)
	slices.SortFunc(p.change, byName)
	slices.SortFunc(p.remove, func(a, b portRow) int { return cmp.Compare(a.name, b.name) })
}

// Result says what an Apply did, with the ports' names in order.
type Result struct {
	// Committed says that a transaction was needed.
	Committed bool

	Added   []string // ports made
	Moved   []string // ports taken over from another switch, their rows kept
	Changed []string // ports rewritten in place
	Removed []string // ports deleted
}

func (p Plan) result() Result {
	r := Result{Committed: !p.Empty()}
	for _, port := range p.add {
		r.Added = append(r.Added, port.Name)
	}
	for _, m := range p.move {
		r.Moved = append(r.Moved, m.Name)
	}
	for _, c := range p.change {
		r.Changed = append(r.Changed, c.Name)
	}
	for _, row := range p.remove {
		r.Removed = append(r.Removed, row.name)
	}
	return r
}
