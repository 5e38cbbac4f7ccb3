package main

import (
	"context"
	"sync"
	"time"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
)

// Rows of a southbound database that fabrics looks at.
type (
	boundRow struct {
		UUID        string  `ovsdb:"_uuid"`
		LogicalPort string  `ovsdb:"logical_port"`
		Datapath    string  `ovsdb:"datapath"`
		TunnelKey   int     `ovsdb:"tunnel_key"`
		Type        string  `ovsdb:"type"`
		Chassis     *string `ovsdb:"chassis"`
	}
	datapathRow struct {
		UUID        string            `ovsdb:"_uuid"`
		TunnelKey   int               `ovsdb:"tunnel_key"`
		ExternalIDs map[string]string `ovsdb:"external_ids"`
	}
)

// southbound follows the ports of one southbound database by a monitor of its own, and notes since when each is on its
// switch.
type southbound struct {
	client client.Client
	// claims has ports of this database's own nodes count when an ovn-controller has bound them; else those that are
	// remote count only with a chassis, which tells where packets for them go.
	claims bool

	mu       sync.Mutex
	switches map[string]string // names, by datapath
	ports    map[string]standing
	gone     map[string]time.Time
}

// standing is a port as the database has it, and since when.
type standing struct {
	row, datapath string
	bound         bool // whether it has what it must: see claims
	since         time.Time
}

func watchSouthbound(ctx context.Context, endpoint string, claims bool) (*southbound, error) {
	s := &southbound{claims: claims, switches: map[string]string{}, ports: map[string]standing{}, gone: map[string]time.Time{}}
	b, d := &boundRow{}, &datapathRow{}
	var err error
	s.client, err = follow(ctx, endpoint, "OVN_Southbound", map[string]model.Model{"Port_Binding": b, "Datapath_Binding": d}, s.note, s.lose,
		client.WithTable(b, &b.LogicalPort, &b.Datapath, &b.TunnelKey, &b.Type, &b.Chassis), client.WithTable(d, &d.TunnelKey, &d.ExternalIDs))
	return s, err
}

func (s *southbound) note(row model.Model) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := row.(type) {
	case *datapathRow:
		s.switches[r.UUID] = r.ExternalIDs["name"]
	case *boundRow:
		is := standing{row: r.UUID, datapath: r.Datapath, bound: r.Chassis != nil || !s.claims && r.Type != "remote", since: time.Now()}
		if had, ok := s.ports[r.LogicalPort]; ok && had.row == is.row && had.datapath == is.datapath && had.bound == is.bound {
			return // what is new of it is not looked at
		}
		s.ports[r.LogicalPort] = is
		delete(s.gone, r.LogicalPort)
	}
}

func (s *southbound) lose(row model.Model) {
	r, is := row.(*boundRow)
	if !is {
		return // a datapath's name may be asked for by ports that are still there
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ports[r.LogicalPort].row == r.UUID { // else another row has taken the name
		delete(s.ports, r.LogicalPort)
		s.gone[r.LogicalPort] = time.Now()
	}
}

// on says since when the port is on the switch and bound; ok is false while it is not.
func (s *southbound) on(port, onSwitch string) (since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is, ok := s.ports[port]
	return is.since, ok && is.bound && s.switches[is.datapath] == onSwitch
}

// left says since when there is no such port; the zero time where there never was one.
func (s *southbound) left(port string) (since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, has := s.ports[port]
	return s.gone[port], !has
}

// complete is how many ports are bound.
func (s *southbound) complete() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, is := range s.ports {
		if is.bound {
			n++
		}
	}
	return n
}

// Close ends the connection.
func (s *southbound) Close() { s.client.Close() }
