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

// Contents are the rows of a northbound database that are ours, by their
// external_ids or by the form of their names.
type Contents struct {
	Switches []ListedSwitch
	Ports    []ListedPort
	DHCP     []ListedDHCP
	ACLs     []ListedACL
}

// ListedSwitch is a row of Logical_Switch. Network is zero where no
// external_ids tell of one.
type ListedSwitch struct {
	Name    string
	Network Key
	UID     string
	// TunnelKey is the one that is requested, zero for none.
	TunnelKey int
}

// ListedPort is a port on one switch: a row of Logical_Switch_Port, listed once
// for each switch that has it.
type ListedPort struct {
	Port
	Switch  string
	Network Key
	UID     string
	// DHCP are the subnets of the sets of options that it refers to.
	DHCP []string
}

// ListedDHCP is a row of DHCP_Options.
type ListedDHCP struct {
	DHCP
	Network Key
	UID     string
}

// ListedACL is a row of ACL. Port is the port that it is for, empty for all of
// the network.
type ListedACL struct {
	Network   Key
	UID       string
	Port      string
	Direction string
	Priority  int
	Match     string
	Action    string
}

// Listed are the rows that make up the network.
func (n Network) Listed() Contents {
	var c Contents
	for _, k := range kinds {
		k.listed(n, &c)
	}
	return c
}

// ReadNorthbound reads a northbound database once. It waits for a connection
// until ctx is done.
func ReadNorthbound(ctx context.Context, cfg Config) (Contents, error) {
	db, err := northboundDatabase()
	if err != nil {
		return Contents{}, fmt.Errorf("build northbound model: %w", err)
	}
	var contents Contents
	err = read(ctx, cfg, db, func(s *session) { contents = replicaOf(s).contents() })
	if err != nil {
		return Contents{}, fmt.Errorf("read northbound database: %w", err)
	}
	return contents, nil
}

// read has look read what a connection of its own has of the database.
func read(ctx context.Context, cfg Config, db database, look func(*session)) error {
	conn, err := dial(ctx, cfg, db, func(*session) {})
	if err != nil {
		return err
	}
	defer conn.close()
	s, err := conn.wait(ctx)
	if err != nil {
		return err
	}
	look(s)
	// A cache that a lost connection emptied is not a database without rows.
	if s.ctx.Err() != nil {
		return ErrNotConnected
	}
	return nil
}

func (r replica) contents() Contents {
	var c Contents
	for _, k := range kinds {
		k.list(r, &c)
	}
	return c
}

// listed says whether a row is ours, or looks so.
func listed(ids map[string]string, name string) bool {
	return isOurs(ids) || strings.HasPrefix(name, namePrefix)
}

// Bindings are what a southbound database tells of our ports and nodes.
type Bindings struct {
	Ports []Binding
	// Chassis are those that carry [ChassisMark].
	Chassis []string
}

// Binding is a row of Port_Binding.
type Binding struct {
	Port string
	// Chassis is the name of the chassis that has claimed the port.
	Chassis string
	Up      bool
}

// ReadSouthbound is [ReadNorthbound] for a southbound database. It lists the
// bindings of ports with names of ours.
func ReadSouthbound(ctx context.Context, cfg Config) (Bindings, error) {
	chassis, binding := &sb.Chassis{}, &sb.PortBinding{}
	m, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{sb.ChassisTable: chassis, sb.PortBindingTable: binding})
	if err != nil {
		return Bindings{}, fmt.Errorf("build southbound model: %w", err)
	}
	db := database{model: m, tables: []client.MonitorOption{
		client.WithTable(chassis, &chassis.Name, &chassis.OtherConfig),
		client.WithTable(binding, &binding.LogicalPort, &binding.Chassis, &binding.Up),
	}}

	var all Bindings
	err = read(ctx, cfg, db, func(s *session) { all = bindings(s) })
	if err != nil {
		return Bindings{}, fmt.Errorf("read southbound database: %w", err)
	}
	return all, nil
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
	for _, row := range s.cache.Table(sb.PortBindingTable).RowsShallow() {
		b := row.(*sb.PortBinding)
		if strings.HasPrefix(b.LogicalPort, namePrefix) {
			all.Ports = append(all.Ports, Binding{Port: b.LogicalPort, Chassis: names[refOf(b.Chassis)], Up: b.Up != nil && *b.Up})
		}
	}
	slices.Sort(all.Chassis)
	return all
}
