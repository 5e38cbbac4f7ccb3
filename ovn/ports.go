package ovn

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// portKind is the ports of the network's switch.
type portKind struct{}

// portRow is a row of Logical_Switch_Port, as far as it is ours.
type portRow struct {
	uuid      string
	name      string
	kind      string // the column type
	ids       map[string]string
	options   map[string]string
	addresses []string
	security  []string
	dhcp      refs

	// The switches that have the port, when the network's own has not.
	elsewhere []switchRow
}

func (portKind) replicated() replicated {
	m := &portModel{}
	return replicated{
		table: nb.LogicalSwitchPortTable, model: m,
		columns: []any{
			&m.Name, &m.Type, &m.Options, &m.Addresses, &m.PortSecurity, &m.Dhcpv4Options, &m.Dhcpv6Options, &m.ExternalIDs,
		},
	}
}

func (portKind) labels(row model.Model) labels {
	port := row.(*portModel).unpacked()
	return labels{uuid: port.UUID, name: port.Name, ids: port.ExternalIDs}
}

// portRows are the ports on the network's switch, and ports that have a desired
// name and are elsewhere.
type portRows []portRow

func (portKind) read(r replica, t target, s *State) (rows, error) {
	here := s.here
	var found portRows
	at := map[string]bool{}
	if !t.partial {
		for _, row := range r.portsIn(here) {
			found = append(found, portRowOf(row))
			at[row.Name] = true
		}
	}
	for _, p := range t.Ports {
		if at[p.Name] {
			continue
		}
		row, err := r.placed(p.Name, here)
		if err != nil {
			return nil, err
		}
		if row != nil {
			found = append(found, *row)
		}
	}
	for _, name := range t.gone {
		row, err := r.port(name)
		if err != nil {
			return nil, err
		}
		if row != nil && here.has(row.UUID) {
			found = append(found, portRowOf(row))
		}
	}
	return found, nil
}

// portSteps are what must be done to the ports, all in the order of names, so
// that equal input makes equal transactions.
type portSteps struct {
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

func (r portRows) diff(n Network, p *Plan) (steps, error) {
	rows := make(map[string]*portRow, len(r))
	for i := range r {
		rows[r[i].name] = &r[i]
	}

	var s portSteps
	ids := portIDs(n, Port{})
	for _, port := range n.Ports {
		row, found := rows[port.Name]
		delete(rows, port.Name)
		ids[attachmentUIDID] = port.Owner
		switch {
		case !found:
			s.add = append(s.add, port)
		case !isOurs(row.ids):
			return nil, &ForeignError{Kind: "logical switch port", Name: port.Name}
		case len(row.elsewhere) > 0:
			s.move = append(s.move, placement{port, *row})
		case !row.is(port, p.refs, ids):
			s.change = append(s.change, placement{port, *row})
		}
	}

	for _, name := range n.Leaving {
		delete(rows, name)
	}
	for _, row := range rows {
		if isOurs(row.ids) && len(row.elsewhere) == 0 {
			s.remove = append(s.remove, *row)
		}
	}
	s.sort()
	return s, nil
}

func (r portRows) tell(n *Network) {
	at := make(map[string]int, len(n.Ports))
	for i, p := range n.Ports {
		at[p.Name] = i
	}
	for _, row := range r {
		if i, has := at[row.name]; has {
			n.Ports[i] = row.port()
		}
	}
}

func (s portSteps) sort() {
	byName := func(a, b placement) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(s.add, func(a, b Port) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.move, byName)
	slices.SortFunc(s.change, byName)
	slices.SortFunc(s.remove, func(a, b portRow) int { return cmp.Compare(a.name, b.name) })
}

func (s portSteps) empty() bool {
	return len(s.add)+len(s.move)+len(s.change)+len(s.remove) == 0
}

// limit keeps so many steps at most, and says whether there are more.
func (s portSteps) limit(most int) (portSteps, bool) {
	left := most
	limited := portSteps{
		add: first(s.add, &left), move: first(s.move, &left), change: first(s.change, &left), remove: first(s.remove, &left),
	}
	return limited, len(s.add)+len(s.move)+len(s.change)+len(s.remove) > most
}

// first returns the first of some, as many as are left, and counts them.
func first[T any](some []T, left *int) []T {
	some = some[:min(len(some), *left)]
	*left -= len(some)
	return some
}

func (s portSteps) guards(p Plan) []ovsdb.Operation {
	var guards []ovsdb.Operation
	for _, from := range s.origins() {
		guards = append(guards, present(from.sw, from.ports))
	}
	var touched []string
	for _, c := range s.change {
		touched = append(touched, c.row.uuid)
	}
	for _, r := range s.remove {
		touched = append(touched, r.uuid)
	}
	if len(touched) > 0 {
		guards = append(guards, present(p.sw, touched))
	}
	return guards
}

func (s portSteps) operations(p Plan) []ovsdb.Operation {
	var ops []ovsdb.Operation
	for i, port := range s.add {
		columns := columnsOf(port, p.refs)
		columns["name"] = port.Name
		columns["external_ids"] = stringMap(portIDs(p.network, port))
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationInsert, Table: nb.LogicalSwitchPortTable, UUIDName: newPort(i), Row: columns,
		})
	}

	for _, c := range slices.Concat(s.move, s.change) {
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationUpdate, Table: nb.LogicalSwitchPortTable, Where: row(c.row.uuid), Row: columnsOf(c.Port, p.refs),
		})
		if ids := portIDs(p.network, c.Port); !carries(c.row.ids, ids) {
			ops = append(ops, label(nb.LogicalSwitchPortTable, c.row.uuid, ids))
		}
	}

	for _, from := range s.origins() {
		ops = append(ops, mutatePorts(from.sw.UUID, ovsdb.MutateOperationDelete, from.ports))
	}
	if joining := s.joining(); len(joining) > 0 && !p.create {
		ops = append(ops, mutatePorts(p.sw.UUID, ovsdb.MutateOperationInsert, joining))
	}
	var leaving []string
	for _, r := range s.remove {
		leaving = append(leaving, r.uuid)
	}
	if len(leaving) > 0 {
		ops = append(ops, mutatePorts(p.sw.UUID, ovsdb.MutateOperationDelete, leaving))
	}
	return ops
}

// joining are the UUIDs of ports that come to the switch, names of such as are
// created.
func (s portSteps) joining() []string {
	var uuids []string
	for i := range s.add {
		uuids = append(uuids, newPort(i))
	}
	for _, m := range s.move {
		uuids = append(uuids, m.row.uuid)
	}
	return uuids
}

// origin is a switch that ports are moved from.
type origin struct {
	sw    switchRow
	ports []string // their UUIDs
}

// origins returns each switch once, since what is done to its ports costs the
// server as much as it has.
func (s portSteps) origins() []*origin {
	var all []*origin
	bySwitch := map[string]*origin{}
	for _, m := range s.move {
		for _, sw := range m.row.elsewhere {
			from := bySwitch[sw.UUID]
			if from == nil {
				from = &origin{sw: sw}
				bySwitch[sw.UUID] = from
				all = append(all, from)
			}
			from.ports = append(from.ports, m.row.uuid)
		}
	}
	return all
}

func (s portSteps) addTo(r *Result) {
	for _, port := range s.add {
		r.Added = append(r.Added, port.Name)
	}
	for _, m := range s.move {
		r.Moved = append(r.Moved, m.Name)
	}
	for _, c := range s.change {
		r.Changed = append(r.Changed, c.Name)
	}
	for _, row := range s.remove {
		r.Removed = append(r.Removed, row.name)
	}
}

// columnsOf are those of a port that are written together whenever one differs.
func columnsOf(port Port, dhcp refs) ovsdb.Row {
	columns := ovsdb.Row{
		"type":          port.Type,
		"options":       stringMap(optionsOf(port)),
		"addresses":     stringSet(port.Addresses),
		"port_security": stringSet(port.PortSecurity),
	}
	for f, uuid := range dhcp {
		var set []string
		if uuid != "" {
			set = []string{uuid}
		}
		columns[family(f).column()] = uuidSet(set)
	}
	return columns
}

// optionsOf is the column options of a port.
func optionsOf(p Port) map[string]string {
	if p.TunnelKey == 0 {
		return p.Options
	}
	options := tunnelKeyOf(p.TunnelKey)
	maps.Copy(options, p.Options)
	return options
}

// newPort is the name, inside a transaction, of the port it creates as the
// i-th.
func newPort(i int) string {
	return "port" + strconv.Itoa(i)
}

// deletion is the switch's: a port that no switch has is gone.
func (portKind) deletion(replica, Key) ([]ovsdb.Operation, error) {
	return nil, nil
}

// is says whether the row is what the port must be, which refers to these sets
// of DHCP options and carries these external_ids.
func (r *portRow) is(p Port, dhcp refs, ids map[string]string) bool {
	return r.kind == p.Type &&
		maps.Equal(r.options, optionsOf(p)) &&
		sameSet(r.addresses, p.Addresses) &&
		sameSet(r.security, p.PortSecurity) &&
		r.dhcp == dhcp &&
		carries(r.ids, ids)
}

// sameSet compares a and b as sets. They have few elements.
func sameSet(a, b []string) bool {
	return subset(a, b) && subset(b, a)
}

func subset(a, b []string) bool {
	for _, v := range a {
		if !slices.Contains(b, v) {
			return false
		}
	}
	return true
}

func portRowOf(row *portModel) portRow {
	return portRow{
		uuid:      row.UUID,
		name:      row.Name,
		kind:      row.Type,
		ids:       row.ExternalIDs,
		options:   row.Options,
		addresses: row.Addresses,
		security:  row.PortSecurity,
		dhcp:      refs{v4: refOf(row.Dhcpv4Options), v6: refOf(row.Dhcpv6Options)},
	}
}

// port is the port that the row tells of.
func (r portRow) port() Port {
	requested, _ := strconv.Atoi(r.options[tunnelKey])
	p := Port{
		Name:         r.name,
		Owner:        r.ids[attachmentUIDID],
		Type:         r.kind,
		Addresses:    r.addresses,
		PortSecurity: r.security,
		Options:      r.options,
		TunnelKey:    requested,
	}
	if requested != 0 {
		p.Options = maps.Clone(r.options)
		delete(p.Options, tunnelKey)
	}
	return p
}

func refOf(uuid *string) string {
	if uuid == nil {
		return ""
	}
	return *uuid
}

func (portKind) list(r replica, c *Contents) {
	subnets := map[string]string{}
	for uuid, row := range r.table(nb.DHCPOptionsTable).RowsShallow() {
		subnets[uuid] = row.(*dhcpModel).unpacked().CIDR
	}
	rows := r.table(nb.LogicalSwitchPortTable).RowsShallow()
	for _, row := range r.table(nb.LogicalSwitchTable).RowsShallow() {
		sw := row.(*switchRow)
		for _, uuid := range sw.members.all() {
			row, ok := rows[uuid].(*portModel)
			if !ok {
				continue
			}
			if p := row.unpacked(); listed(p.ExternalIDs, p.Name) {
				c.Ports = append(c.Ports, listedPort(p, sw.Name, subnets))
			}
		}
	}
}

func listedPort(row *portModel, sw string, subnets map[string]string) ListedPort {
	key, _ := parseKey(row.ExternalIDs[networkID])
	p := ListedPort{
		Port:    portRowOf(row).port(),
		Switch:  sw,
		Network: key,
		UID:     row.ExternalIDs[networkUIDID],
	}
	for _, uuid := range []string{refOf(row.Dhcpv4Options), refOf(row.Dhcpv6Options)} {
		if uuid != "" {
			p.DHCP = append(p.DHCP, subnets[uuid])
		}
	}
	return p
}

func (portKind) listed(n Network, c *Contents) {
	var subnets []string
	for _, set := range n.DHCP {
		subnets = append(subnets, set.CIDR)
	}
	for _, p := range n.Ports {
		c.Ports = append(c.Ports, ListedPort{Port: p, Switch: n.Switch(), Network: n.Key, UID: n.UID, DHCP: subnets})
	}
}
