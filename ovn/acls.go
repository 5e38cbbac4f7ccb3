package ovn

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/nb"
)

// aclKind is what the network's ports may not send: one row of ACL for the
// network, and one for each port that may nonetheless. None of them is stateful:
// with one that is, all frames of the switch would go through conntrack, and
// northd would let every neighbour discovery message pass before it reads ours.
type aclKind struct{}

// Rules of ours come before all that somebody may add to the switch.
const (
	guardPriority  = 32000
	permitPriority = 32001
)

// rule is what a row of ACL says (ovn-nb(5)).
type rule struct {
	direction string
	priority  int
	match     string
	action    string
}

func guardRule(match string) rule {
	return rule{nb.ACLDirectionFromLport, guardPriority, match, nb.ACLActionDrop}
}

func permitRule(port, match string) rule {
	return rule{nb.ACLDirectionFromLport, permitPriority, permitPrefix(port) + match + permitSuffix, nb.ACLActionAllow}
}

const permitSuffix = ")"

func permitPrefix(port string) string { return "inport == " + strconv.Quote(port) + " && (" }

// aclRow is a row of ACL, as far as it is ours.
type aclRow struct {
	uuid string
	rule rule
	ids  map[string]string
}

// port is the port that the row is for, empty for the network.
func (r aclRow) port() string { return r.ids[portID] }

func (aclKind) replicated() replicated {
	m := &aclModel{}
	return replicated{
		table: nb.ACLTable, model: m,
		columns:    []any{&m.Direction, &m.Priority, &m.Match, &m.Action, &m.ExternalIDs},
		identities: []string{""},
	}
}

func (aclKind) labels(row model.Model) labels {
	acl := row.(*aclModel).unpacked()
	return labels{uuid: acl.UUID, ids: acl.ExternalIDs, port: acl.ExternalIDs[portID]}
}

// aclRows are the rules that a database has of a network.
type aclRows struct {
	target target
	rows   []aclRow
	uuid   map[string]string // what to create rules with, by port
	former []former
}

// former is the rule of a port on the network that it is taken over from.
type former struct {
	uuid     string
	switches []switchRow
}

func (aclKind) read(r replica, t target, s *State) (rows, error) {
	found := aclRows{target: t}
	for _, row := range r.rowsOf(nb.ACLTable, t.Key) {
		found.add(t.Key, row)
	}
	if t.partial {
		for _, name := range t.names() {
			found.add(t.Key, r.permit(t.Key, name))
		}
	} else {
		for _, uuid := range r.strays.of(place{nb.ACLTable, t.Key, true}) {
			found.add(t.Key, r.table(nb.ACLTable).Row(uuid))
		}
	}
	found.uuid = r.newACLs(t.Network)
	for _, rows := range s.rows {
		if ports, is := rows.(portRows); is {
			found.former = r.formerPermits(t.Key, ports)
		}
	}
	return found, nil
}

// newACLs returns what to create rules with, by port.
func (r replica) newACLs(n Network) map[string]string {
	uuids := map[string]string{}
	if n.Guard != "" {
		uuids[""] = r.identity(nb.ACLTable, n.Key, "")
	}
	for _, p := range n.Ports {
		if p.Permit != "" {
			uuids[p.Name] = r.identity(nb.ACLTable, n.Key, identityOfPort(p.Name))
		}
	}
	return uuids
}

// names are those of the ports that a partial target is about.
func (t target) names() []string {
	names := slices.Clone(t.gone)
	for _, p := range t.Ports {
		names = append(names, p.Name)
	}
	return names
}

// add adds a row that is there and the network's.
func (r *aclRows) add(key Key, row model.Model) {
	acl, is := row.(*aclModel)
	if !is || acl.ExternalIDs[networkID] != key.String() || slices.ContainsFunc(r.rows, func(o aclRow) bool { return o.uuid == acl.UUID }) {
		return
	}
	r.rows = append(r.rows, aclRow{acl.UUID, rule{acl.Direction, acl.Priority, acl.Match, acl.Action}, acl.ExternalIDs})
}

// permit returns the row of the rule of a port, nil where it has none.
func (r replica) permit(key Key, port string) model.Model {
	return r.table(nb.ACLTable).Row(r.identity(nb.ACLTable, key, identityOfPort(port)))
}

// formerPermits are the rules of those ports that another network has.
func (r replica) formerPermits(key Key, ports portRows) []former {
	var all []former
	for _, p := range ports {
		from, ok := parseKey(p.ids[networkID])
		if !ok || from == key || len(p.elsewhere) == 0 {
			continue
		}
		if row, is := r.permit(from, p.name).(*aclModel); is {
			all = append(all, former{row.UUID, p.elsewhere})
		}
	}
	return all
}

// aclSteps are what must be done to the rules, in the order of their ports.
type aclSteps struct {
	create, write []wantedACL
	join          []string // rows of which the switch knows nothing, since it is new
	remove        []string
	former        []former
}

// wantedACL is a rule and the row that becomes it.
type wantedACL struct {
	rule
	ids map[string]string
	row aclRow
}

func (r aclRows) diff(n Network, p *Plan) (steps, error) {
	want := r.wanted(n)
	s := aclSteps{former: r.former}
	rows := slices.SortedFunc(slices.Values(r.rows), func(a, b aclRow) int { return cmp.Compare(a.uuid, b.uuid) })
	for _, row := range rows {
		w, is := want[row.port()]
		switch {
		case is && p.create:
			s.join = append(s.join, row.uuid)
		case !is && !r.keeps(n, row.port()):
			s.remove = append(s.remove, row.uuid)
		}
		if !is {
			continue
		}
		delete(want, row.port()) // a second one goes
		if w.row = row; row.rule != w.rule || !carries(row.ids, w.ids) {
			s.write = append(s.write, w)
		}
	}
	for _, port := range slices.Sorted(maps.Keys(want)) {
		w := want[port]
		w.row.uuid = r.uuid[port]
		s.create = append(s.create, w)
	}
	return s, nil
}

// wanted are the rules that the network must have, by port.
func (r aclRows) wanted(n Network) map[string]wantedACL {
	want := map[string]wantedACL{}
	if n.Guard != "" {
		want[""] = wantedACL{rule: guardRule(n.Guard), ids: networkIDs(n)}
	}
	for _, p := range n.Ports {
		if p.Permit != "" {
			want[p.Name] = wantedACL{rule: permitRule(p.Name, p.Permit), ids: permitIDs(n, p)}
		}
	}
	return want
}

// keeps says whether the rule of a port is none of the target's business, though
// it does not name the port.
func (r aclRows) keeps(n Network, port string) bool {
	switch {
	case port == "":
		return false
	case r.target.partial:
		return !slices.Contains(r.target.names(), port)
	default:
		return slices.Contains(n.Leaving, port)
	}
}

func (r aclRows) tell(n *Network) {
	permits := map[string]string{}
	for _, row := range r.rows {
		if row.port() == "" {
			n.Guard = row.rule.match
			continue
		}
		match := strings.TrimPrefix(row.rule.match, permitPrefix(row.port()))
		permits[row.port()] = strings.TrimSuffix(match, permitSuffix)
	}
	for i, p := range n.Ports {
		n.Ports[i].Permit = permits[p.Name]
	}
}

func (s aclSteps) empty() bool {
	return len(s.create)+len(s.write)+len(s.join)+len(s.remove)+len(s.former) == 0
}

// limit keeps so many of the rules that are created or removed, and says whether
// there are more. The network's own is the first.
func (s aclSteps) limit(most int) (aclSteps, bool) {
	more := len(s.create)+len(s.remove) > most
	left := most
	s.create, s.remove = first(s.create, &left), first(s.remove, &left)
	return s, more
}

// guards fail the transaction when a row that is rewritten is another by now.
func (s aclSteps) guards(Plan) []ovsdb.Operation {
	var guards []ovsdb.Operation
	for _, w := range s.write {
		guards = append(guards, wait(nb.ACLTable, "match", w.row.rule.match, row(w.row.uuid)...))
	}
	return guards
}

// operations remove rules by taking them from the switch: the server deletes what
// none refers to.
func (s aclSteps) operations(p Plan) []ovsdb.Operation {
	var ops []ovsdb.Operation
	joining := slices.Clone(s.join)
	for _, w := range s.create {
		columns := w.columns()
		columns["external_ids"] = stringMap(w.ids)
		ops = append(ops, ovsdb.Operation{Op: ovsdb.OperationInsert, Table: nb.ACLTable, UUID: w.row.uuid, Row: columns})
		joining = append(joining, w.row.uuid)
	}
	for _, w := range s.write {
		ops = append(ops,
			ovsdb.Operation{Op: ovsdb.OperationUpdate, Table: nb.ACLTable, Where: row(w.row.uuid), Row: w.columns()},
			label(nb.ACLTable, w.row.uuid, w.ids))
	}
	if len(joining) > 0 {
		ops = append(ops, mutateACLs(p.sw.UUID, ovsdb.MutateOperationInsert, joining))
	}
	if len(s.remove) > 0 {
		ops = append(ops, mutateACLs(p.sw.UUID, ovsdb.MutateOperationDelete, s.remove))
	}
	for _, f := range s.former {
		for _, sw := range f.switches {
			ops = append(ops, mutateACLs(sw.UUID, ovsdb.MutateOperationDelete, []string{f.uuid}))
		}
	}
	return ops
}

func (r rule) columns() ovsdb.Row {
	return ovsdb.Row{"direction": r.direction, "priority": r.priority, "match": r.match, "action": r.action}
}

func mutateACLs(sw string, mutator ovsdb.Mutator, acls []string) ovsdb.Operation {
	return ovsdb.Operation{
		Op: ovsdb.OperationMutate, Table: nb.LogicalSwitchTable, Where: row(sw),
		Mutations: []ovsdb.Mutation{*ovsdb.NewMutation("acls", mutator, uuidSet(acls))},
	}
}

// deletion is the switch's: a rule that no switch has is gone.
func (aclKind) deletion(replica, Key) ([]ovsdb.Operation, error) {
	return nil, nil
}

func (aclKind) list(r replica, c *Contents) {
	for _, row := range r.table(nb.ACLTable).RowsShallow() {
		acl := row.(*aclModel).unpacked()
		if !isOurs(acl.ExternalIDs) {
			continue
		}
		key, _ := parseKey(acl.ExternalIDs[networkID])
		c.ACLs = append(c.ACLs, ListedACL{
			Network: key, UID: acl.ExternalIDs[networkUIDID], Port: acl.ExternalIDs[portID],
			Direction: acl.Direction, Priority: acl.Priority, Match: acl.Match, Action: acl.Action,
		})
	}
}

func (aclKind) listed(n Network, c *Contents) {
	for port, w := range (aclRows{}).wanted(n) {
		c.ACLs = append(c.ACLs, ListedACL{
			Network: n.Key, UID: n.UID, Port: port,
			Direction: w.direction, Priority: w.priority, Match: w.match, Action: w.action,
		})
	}
}
