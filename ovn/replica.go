package ovn

import (
	"cmp"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/ovn/nb"
)

// replica reads what a session has of the northbound database.
type replica struct {
	switches *cache.RowCache
	ports    *cache.RowCache
	dhcp     *cache.RowCache
	globals  *cache.RowCache
}

// replicaOf returns the tables once the transaction that is just arriving, if
// any, is in them as a whole: libovsdb holds for it the lock that Table takes.
// A later one may still come in between two reads; the guards of a transaction
// are what makes that safe.
func replicaOf(s *session) replica {
	return replica{
		switches: s.cache.Table(nb.LogicalSwitchTable),
		ports:    s.cache.Table(nb.LogicalSwitchPortTable),
		dhcp:     s.cache.Table(nb.DHCPOptionsTable),
		globals:  s.cache.Table(nb.NBGlobalTable),
	}
}

// networks returns the networks that have a switch or DHCP_Options, in order.
func (r replica) networks() ([]Key, error) {
	var keys []Key
	for _, table := range []*cache.RowCache{r.switches, r.dhcp} {
		index, err := table.Index("external_ids|" + networkID)
		if err != nil {
			return nil, err
		}
		for id := range index {
			if key, ok := parseKey(id.(string)); ok {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(keys), nil
}

// state gathers what [Diff] needs to know of a network.
func (r replica) state(n Network) (State, error) {
	owned, err := r.owned(n.Key)
	if err != nil {
		return State{}, err
	}
	dhcp, err := r.dhcpOf(n.Key)
	if err != nil {
		return State{}, err
	}
	if len(owned) == 0 {
		strays, err := r.strays(n, nil)
		return State{foreign: r.hasForeign(n.Switch()), ports: strays, dhcp: dhcp}, err
	}

	rows := rowsOf(owned)
	st := State{sw: &rows[0], surplus: rows[1:], dhcp: dhcp}
	at := make(map[string]bool, len(owned[0].Ports))
	for _, uuid := range owned[0].Ports {
		if row, ok := r.ports.Row(uuid).(*nb.LogicalSwitchPort); ok {
			st.ports = append(st.ports, portRowOf(row))
			at[row.Name] = true
		}
	}
	strays, err := r.strays(n, at)
	st.ports = append(st.ports, strays...)
	return st, err
}

// holds says whether the network is as wanted: gone, when want is nil.
func (r replica) holds(key Key, want *Network) bool {
	if want == nil {
		owned, err := r.owned(key)
		if err != nil {
			return false
		}
		dhcp, err := r.dhcpOf(key)
		return err == nil && len(owned)+len(dhcp) == 0
	}
	actual, err := r.state(*want)
	if err != nil {
		return false
	}
	plan, err := Diff(*want, actual)
	return err == nil && plan.Empty()
}

// owned returns the switches of a network. More than one is somebody's
// mistake; the one with the most ports comes first.
func (r replica) owned(key Key) ([]*nb.LogicalSwitch, error) {
	rows, err := r.switches.RowsByModels([]model.Model{
		&nb.LogicalSwitch{ExternalIDs: map[string]string{networkID: key.String()}},
	})
	if err != nil {
		return nil, err
	}

	var owned []*nb.LogicalSwitch
	for _, row := range rows {
		owned = append(owned, row.(*nb.LogicalSwitch))
	}
	slices.SortFunc(owned, func(a, b *nb.LogicalSwitch) int {
		return cmp.Or(cmp.Compare(len(b.Ports), len(a.Ports)), cmp.Compare(a.UUID, b.UUID))
	})
	return owned, nil
}

// dhcpOf returns the sets of DHCP options of a network.
func (r replica) dhcpOf(key Key) ([]dhcpRow, error) {
	rows, err := r.dhcp.RowsByModels([]model.Model{
		&nb.DHCPOptions{ExternalIDs: map[string]string{networkID: key.String()}},
	})
	if err != nil {
		return nil, err
	}

	var sets []dhcpRow
	for _, row := range rows {
		sets = append(sets, dhcpRowOf(row.(*nb.DHCPOptions)))
	}
	return sets, nil
}

// global returns the only row of NB_Global, nil while there is none.
func (r replica) global() *nb.NBGlobal {
	for _, row := range r.globals.RowsShallow() {
		return row.(*nb.NBGlobal)
	}
	return nil
}

// hasForeign says whether somebody else has a switch of that name. One of ours
// may have arrived since the caller looked.
func (r replica) hasForeign(name string) bool {
	for _, row := range r.switches.RowsShallow() {
		if sw := row.(*nb.LogicalSwitch); sw.Name == name && !isOurs(sw.ExternalIDs) {
			return true
		}
	}
	return false
}

// strays returns the ports that the network wants and that are on another
// switch; at holds the names on its own. A port that seems to be on no switch
// is left out: such rows do not exist, so its switch is still arriving, and
// the database will refuse to make the port anew.
func (r replica) strays(n Network, at map[string]bool) ([]portRow, error) {
	strays := map[string]portRow{}
	for _, p := range n.Ports {
		if at[p.Name] {
			continue
		}
		uuid, row, err := r.ports.RowByModel(&nb.LogicalSwitchPort{Name: p.Name})
		if err != nil {
			return nil, err
		}
		if row != nil {
			strays[uuid] = portRowOf(row.(*nb.LogicalSwitchPort))
		}
	}
	if len(strays) == 0 {
		return nil, nil
	}

	var found []portRow
	for _, row := range r.switches.RowsShallow() {
		sw := row.(*nb.LogicalSwitch)
		for _, uuid := range sw.Ports {
			if stray, ok := strays[uuid]; ok {
				stray.elsewhere = append(stray.elsewhere, switchRowOf(sw))
				strays[uuid] = stray
			}
		}
	}
	for _, stray := range strays {
		if len(stray.elsewhere) > 0 {
			found = append(found, stray)
		}
	}
	return found, nil
}

func rowsOf(switches []*nb.LogicalSwitch) []switchRow {
	rows := make([]switchRow, 0, len(switches))
	for _, sw := range switches {
		rows = append(rows, switchRowOf(sw))
	}
	return rows
}

func switchRowOf(row *nb.LogicalSwitch) switchRow {
	return switchRow{uuid: row.UUID, name: row.Name, ids: row.ExternalIDs}
}

func portRowOf(row *nb.LogicalSwitchPort) portRow {
	return portRow{
		uuid:      row.UUID,
		name:      row.Name,
		ids:       row.ExternalIDs,
		addresses: row.Addresses,
		security:  row.PortSecurity,
		dhcp:      refs{v4: refOf(row.Dhcpv4Options), v6: refOf(row.Dhcpv6Options)},
	}
}

func refOf(uuid *string) string {
	if uuid == nil {
		return ""
	}
	return *uuid
}
