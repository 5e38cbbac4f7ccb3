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

// tunnelKey is the key of the columns other_config and options that asks northd
// for a tunnel key.
const tunnelKey = "requested-tnl-key"

// Keys of the column other_config of our switches.
const (
	// passthru, with value true, lets frames with VLAN tags pass.
	passthru = "vlan-passthru"
	// fdbAge is for how many seconds northd remembers learned MAC addresses that
	// nobody uses. Before 23.06 it does not know the key.
	fdbAge = "fdb_age_threshold"
)

// configKeys are those of other_config that are ours.
var configKeys = []string{tunnelKey, passthru, fdbAge}

// configOf is our part of the network's other_config.
func configOf(n Network) map[string]string {
	config := map[string]string{}
	maps.Copy(config, tunnelKeyOf(n.TunnelKey))
	if n.Tags {
		config[passthru] = "true"
	}
	if n.FDBAge > 0 {
		config[fdbAge] = strconv.Itoa(n.FDBAge)
	}
	return config
}

// configured says whether our part of the column is as it must be.
func configured(column map[string]string, n Network) bool {
	want := configOf(n)
	return !slices.ContainsFunc(configKeys, func(key string) bool { return column[key] != want[key] })
}

// switchKind is the network's logical switch.
type switchKind struct{}

func (switchKind) replicated() replicated {
	m := &switchRow{}
	return replicated{
		table: nb.LogicalSwitchTable, model: m,
		columns:    []any{&m.Name, &m.OtherConfig, &m.ExternalIDs, &m.Ports},
		identities: []string{""},
	}
}

func (switchKind) labels(row model.Model) labels {
	sw := row.(*switchRow).unpacked()
	return labels{uuid: sw.UUID, name: sw.Name, ids: sw.ExternalIDs}
}

// switchRows are what a database has of a network's switch.
type switchRows struct {
	sw      *switchRow  // the network's switch; nil when there is none
	surplus []switchRow // further switches of the same network
	foreign bool        // somebody else's switch has the network's name
	uuid    string      // what to create the switch with
}

func (switchKind) read(r replica, t target, s *State) (rows, error) {
	owned, foreign := r.switchesOf(t.Key)
	if len(owned) == 0 {
		return switchRows{foreign: foreign, uuid: r.identity(nb.LogicalSwitchTable, t.Key, "")}, nil
	}
	s.here = owned[0].members
	found := switchRows{sw: &owned[0]}
	if !t.partial || t.surplus { // surplus switches go with those ports that have been moved, which needs all of them
		found.surplus = owned[1:]
	}
	return found, nil
}

func (s switchRows) tell(n *Network) {
	if s.sw != nil {
		n.UID = s.sw.ExternalIDs[networkUIDID]
		n.TunnelKey, _ = strconv.Atoi(s.sw.OtherConfig[tunnelKey])
		n.Tags = s.sw.OtherConfig[passthru] == "true"
		n.FDBAge, _ = strconv.Atoi(s.sw.OtherConfig[fdbAge])
	}
}

// switchSteps are what must be done to the switch.
type switchSteps struct {
	rename, reconfigure, relabel bool
	create                       bool
	surplus                      []switchRow
}

func (s switchRows) diff(n Network, p *Plan) (steps, error) {
	if s.sw == nil {
		if s.foreign {
			return nil, &ForeignError{Kind: "logical switch", Name: n.Switch()}
		}
		p.sw, p.create = switchRow{UUID: s.uuid, Name: n.Switch()}, true
		return switchSteps{create: true}, nil
	}
	p.sw = *s.sw
	found := switchSteps{
		rename:      s.sw.Name != n.Switch(),
		reconfigure: !configured(s.sw.OtherConfig, n),
		relabel:     !carries(s.sw.ExternalIDs, switchIDs(n)),
		surplus:     s.surplus,
	}
	p.wide = p.wide || found.relabel
	return found, nil
}

func (s switchSteps) empty() bool {
	return !s.create && !s.rename && !s.reconfigure && !s.relabel && len(s.surplus) == 0
}

// guards: a switch that is created needs none, since no two rows can be created
// with its UUID. See [replica.identity].
func (s switchSteps) guards(p Plan) []ovsdb.Operation {
	if s.create {
		return nil
	}
	return []ovsdb.Operation{present(p.sw, nil)}
}

func (s switchSteps) operations(p Plan) []ovsdb.Operation {
	var ops []ovsdb.Operation
	ids := switchIDs(p.network)
	if s.create {
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationInsert, Table: nb.LogicalSwitchTable, UUID: p.sw.UUID,
			Row: ovsdb.Row{
				"name":         p.network.Switch(),
				"external_ids": stringMap(ids),
				"other_config": stringMap(configOf(p.network)),
				"ports":        uuidSet(p.joining()),
			},
		})
	}
	if s.rename {
		ops = append(ops, ovsdb.Operation{
			Op: ovsdb.OperationUpdate, Table: nb.LogicalSwitchTable, Where: row(p.sw.UUID),
			Row: ovsdb.Row{"name": p.network.Switch()},
		})
	}
	if s.reconfigure {
		ops = append(ops, setKeys(nb.LogicalSwitchTable, p.sw.UUID, "other_config", configKeys, configOf(p.network)))
	}
	if s.relabel {
		ops = append(ops, label(nb.LogicalSwitchTable, p.sw.UUID, ids))
	}
	return append(ops, deleteRows(nb.LogicalSwitchTable, uuidsOf(s.surplus)...)...)
}

// deletion takes along the ports that no other switch has.
func (switchKind) deletion(r replica, key Key) ([]ovsdb.Operation, error) {
	owned, _ := r.switchesOf(key)
	return deleteRows(nb.LogicalSwitchTable, uuidsOf(owned)...), nil
}

func (switchKind) list(r replica, c *Contents) {
	for _, row := range r.table(nb.LogicalSwitchTable).RowsShallow() {
		sw := row.(*switchRow).unpacked()
		if !listed(sw.ExternalIDs, sw.Name) {
			continue
		}
		key, _ := parseKey(sw.ExternalIDs[networkID])
		requested, _ := strconv.Atoi(sw.OtherConfig[tunnelKey])
		c.Switches = append(c.Switches, ListedSwitch{
			Name: sw.Name, Network: key, UID: sw.ExternalIDs[networkUIDID], TunnelKey: requested,
		})
	}
}

func (switchKind) listed(n Network, c *Contents) {
	c.Switches = append(c.Switches, ListedSwitch{Name: n.Switch(), Network: n.Key, UID: n.UID, TunnelKey: n.TunnelKey})
}

// switchesOf returns the switches of a network, and whether somebody else has
// one of its name while it has none. More than one is somebody's mistake; the
// one with the most ports comes first.
func (r replica) switchesOf(key Key) (owned []switchRow, foreign bool) {
	for _, row := range r.rowsOf(nb.LogicalSwitchTable, key) {
		sw := row.(*switchRow)
		switch {
		case sw.ExternalIDs[networkID] == key.String():
			owned = append(owned, *sw)
		case !isOurs(sw.ExternalIDs) && sw.Name == key.Switch():
			foreign = true
		}
	}
	slices.SortFunc(owned, func(a, b switchRow) int {
		return cmp.Or(cmp.Compare(b.members.len(), a.members.len()), cmp.Compare(a.UUID, b.UUID))
	})
	return owned, foreign
}

func uuidsOf(switches []switchRow) []string {
	var uuids []string
	for _, sw := range switches {
		uuids = append(uuids, sw.UUID)
	}
	return uuids
}

// tunnelKeyOf returns the column's part that asks for the key: none for zero.
func tunnelKeyOf(key int) map[string]string {
	if key == 0 {
		return nil
	}
	return map[string]string{tunnelKey: strconv.Itoa(key)}
}
