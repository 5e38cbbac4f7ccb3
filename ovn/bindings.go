package ovn

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/ovn/sb"
)

// Bindings are what a southbound database tells of our switches, ports and nodes.
type Bindings struct {
	Switches []BoundSwitch `json:"switches"`
	Ports    []Binding     `json:"ports"`
	// Chassis are those that carry [ChassisMark].
	Chassis []string `json:"chassis"`
	// Remotes are those that [Zone.ApplyRemotes] made.
	Remotes []Remote `json:"remotes"`
}

// BoundSwitch is a row of Datapath_Binding.
type BoundSwitch struct {
	Name string `json:"name"`
	// TunnelKey is the one that northd has given.
	TunnelKey int `json:"tunnelKey"`
}

// Binding is a row of Port_Binding.
type Binding struct {
	Port string `json:"port"`
	// Chassis is the name of the chassis that has claimed the port.
	Chassis string `json:"chassis"`
	Up      bool   `json:"up"`
	// TunnelKey is the one that northd has given.
	TunnelKey int `json:"tunnelKey"`
}

// ReadSouthbound is [ReadNorthbound] for a southbound database. It lists the
// bindings of switches and ports with names of ours.
func ReadSouthbound(ctx context.Context, cfg Config) (Bindings, error) {
	chassis, encap, datapath, binding := &sb.Chassis{}, &sb.Encap{}, &sb.DatapathBinding{}, &sb.PortBinding{}
	m, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{
		sb.ChassisTable: chassis, sb.EncapTable: encap, sb.DatapathBindingTable: datapath, sb.PortBindingTable: binding,
	})
	if err != nil {
		return Bindings{}, fmt.Errorf("build southbound model: %w", err)
	}
	db := database{model: m, tables: []client.MonitorOption{
		client.WithTable(chassis, &chassis.Name, &chassis.Hostname, &chassis.OtherConfig, &chassis.ExternalIDs, &chassis.Encaps),
		client.WithTable(encap, &encap.ChassisName, &encap.Type, &encap.IP),
		client.WithTable(datapath, &datapath.ExternalIDs, &datapath.TunnelKey),
		client.WithTable(binding, &binding.LogicalPort, &binding.Chassis, &binding.Up, &binding.TunnelKey),
	}}

	var all Bindings
	err = read(ctx, cfg, db, func(s *session) { all = bindings(s) })
	if err != nil {
		return Bindings{}, fmt.Errorf("read southbound database: %w", err)
	}
	return all, nil
}

// Bindings is [ReadSouthbound] of the client's database, by a connection of its own that
// ends when it has read.
func (s *Southbound) Bindings(ctx context.Context) (Bindings, error) {
	return ReadSouthbound(ctx, s.conn.cfg)
}

func bindings(s *session) Bindings {
	var all Bindings
	names := map[string]string{}
	for uuid, row := range s.cache.Table(sb.ChassisTable).RowsShallow() {
		chassis := row.(*sb.Chassis)
		names[uuid] = chassis.Name
		if marked(chassis) {
			all.Chassis = append(all.Chassis, chassis.Name)
		}
	}
	for _, held := range remotesIn(s) {
		if held.ours {
			all.Remotes = append(all.Remotes, held.Remote)
		}
	}
	for _, row := range s.cache.Table(sb.DatapathBindingTable).RowsShallow() {
		d := row.(*sb.DatapathBinding)
		if name := d.ExternalIDs["name"]; strings.HasPrefix(name, namePrefix) {
			all.Switches = append(all.Switches, BoundSwitch{Name: name, TunnelKey: d.TunnelKey})
		}
	}
	for _, row := range s.cache.Table(sb.PortBindingTable).RowsShallow() {
		b := row.(*sb.PortBinding)
		if strings.HasPrefix(b.LogicalPort, namePrefix) {
			all.Ports = append(all.Ports, Binding{
				Port: b.LogicalPort, Chassis: names[refOf(b.Chassis)], Up: b.Up != nil && *b.Up, TunnelKey: b.TunnelKey,
			})
		}
	}
	slices.Sort(all.Chassis)
	return all
}
