package ovn

import (
	"unique"

	"github.com/ovn-kubernetes/libovsdb/model"
)

// The models are what libovsdb reads rows into. It keeps a copy of what has
// arrived, applies what has changed to a copy of that, and gives copies to who
// reads, each made by CloneModel: so a copy of a row as it arrived is packed,
// and a copy of a packed one is as it arrived. The replica holds packed rows,
// which libovsdb itself only looks into for _uuid and columns that are indexes;
// RowsShallow and events may have either, all else unpacked ones.

// portModel is a row of Logical_Switch_Port.
type portModel struct {
	UUID          string            `ovsdb:"_uuid"`
	Name          string            `ovsdb:"name"`
	Type          string            `ovsdb:"type"`
	Options       map[string]string `ovsdb:"options"`
	Addresses     []string          `ovsdb:"addresses"`
	PortSecurity  []string          `ovsdb:"port_security"`
	Dhcpv4Options *string           `ovsdb:"dhcpv4_options"`
	Dhcpv6Options *string           `ovsdb:"dhcpv6_options"`
	ExternalIDs   map[string]string `ovsdb:"external_ids"`

	packed packed // in a packed row: all but the first two
}

// CloneModel packs the row or unpacks it.
func (m *portModel) CloneModel() model.Model {
	if m.packed != "" {
		return m.unpacked()
	}
	var p packer
	p.pairs(m.ExternalIDs)
	p.text(m.Type)
	p.pairs(m.Options)
	p.set(m.Addresses)
	p.set(m.PortSecurity)
	p.option(m.Dhcpv4Options)
	p.option(m.Dhcpv6Options)
	return &portModel{UUID: m.UUID, Name: m.Name, packed: packed(p)}
}

// CloneModelInto is CloneModel into a row that is there.
func (m *portModel) CloneModelInto(into model.Model) {
	*into.(*portModel) = *m.CloneModel().(*portModel)
}

func (m *portModel) unpacked() *portModel {
	if m.packed == "" {
		return m
	}
	u := unpacker(m.packed)
	return &portModel{
		UUID: m.UUID, Name: m.Name,
		ExternalIDs: u.pairs(), Type: u.text(), Options: u.pairs(), Addresses: u.set(), PortSecurity: u.set(),
		Dhcpv4Options: u.option(), Dhcpv6Options: u.option(),
	}
}

// dhcpModel is a row of DHCP_Options.
type dhcpModel struct {
	UUID        string            `ovsdb:"_uuid"`
	CIDR        string            `ovsdb:"cidr"`
	Options     map[string]string `ovsdb:"options"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`

	packed packed // in a packed row: all but the first
}

// CloneModel packs the row or unpacks it.
func (m *dhcpModel) CloneModel() model.Model {
	if m.packed != "" {
		return m.unpacked()
	}
	var p packer
	p.pairs(m.ExternalIDs)
	p.text(m.CIDR)
	p.pairs(m.Options)
	return &dhcpModel{UUID: m.UUID, packed: packed(p)}
}

// CloneModelInto is CloneModel into a row that is there.
func (m *dhcpModel) CloneModelInto(into model.Model) {
	*into.(*dhcpModel) = *m.CloneModel().(*dhcpModel)
}

func (m *dhcpModel) unpacked() *dhcpModel {
	if m.packed == "" {
		return m
	}
	u := unpacker(m.packed)
	return &dhcpModel{UUID: m.UUID, ExternalIDs: u.pairs(), CIDR: u.text(), Options: u.pairs()}
}

// switchRow is a row of Logical_Switch.
type switchRow struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	OtherConfig map[string]string `ovsdb:"other_config"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`

	// Ports is the column of that name only in a row that has just arrived: all
	// ports of a new row, in a changed one those that were added or removed. A
	// copy has none, and the replica keeps copies. So libovsdb, which applies
	// the difference that the server sends to what it has, finds nothing there
	// and takes the difference as it is.
	Ports   []string `ovsdb:"ports"`
	members *members // the ports of a row in the replica

	packed packed // in a packed row: the two maps
}

// CloneModel packs the row or unpacks it.
func (m *switchRow) CloneModel() model.Model {
	if m.packed != "" {
		return m.unpacked()
	}
	var p packer
	p.pairs(m.ExternalIDs)
	p.pairs(m.OtherConfig)
	clone := &switchRow{UUID: m.UUID, Name: m.Name, members: m.members, packed: packed(p)}
	if clone.members == nil {
		clone.members = &members{}
	}
	clone.members.toggle(m.Ports)
	return clone
}

// CloneModelInto is CloneModel into a row that is there.
func (m *switchRow) CloneModelInto(into model.Model) {
	*into.(*switchRow) = *m.CloneModel().(*switchRow)
}

func (m *switchRow) unpacked() *switchRow {
	if m.packed == "" {
		return m
	}
	u := unpacker(m.packed)
	return &switchRow{UUID: m.UUID, Name: m.Name, members: m.members, ExternalIDs: u.pairs(), OtherConfig: u.pairs()}
}

// aclModel is a row of ACL.
type aclModel struct {
	UUID        string            `ovsdb:"_uuid"`
	Direction   string            `ovsdb:"direction"`
	Priority    int               `ovsdb:"priority"`
	Match       string            `ovsdb:"match"`
	Action      string            `ovsdb:"action"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`

	// In a packed row: the match, which thousands of networks have alike, and the
	// rest.
	match  unique.Handle[string]
	packed packed
}

// CloneModel packs the row or unpacks it.
func (m *aclModel) CloneModel() model.Model {
	if m.packed != "" {
		return m.unpacked()
	}
	var p packer
	p.pairs(m.ExternalIDs)
	p.text(m.Direction)
	p.number(m.Priority)
	p.text(m.Action)
	return &aclModel{UUID: m.UUID, match: unique.Make(m.Match), packed: packed(p)}
}

// CloneModelInto is CloneModel into a row that is there.
func (m *aclModel) CloneModelInto(into model.Model) {
	*into.(*aclModel) = *m.CloneModel().(*aclModel)
}

func (m *aclModel) unpacked() *aclModel {
	if m.packed == "" {
		return m
	}
	u := unpacker(m.packed)
	return &aclModel{
		UUID: m.UUID, Match: m.match.Value(),
		ExternalIDs: u.pairs(), Direction: u.text(), Priority: u.number(), Action: u.text(),
	}
}
