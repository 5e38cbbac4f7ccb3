package ovn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/sb"
)

// Remote is the chassis of a node that has databases of its own.
type Remote struct {
	// Name is the chassis' name, Hostname that of its node.
	Name, Hostname string
	// Address is where its Geneve tunnels start.
	Address string
}

// Remotes makes one southbound database hold the chassis of other zones, to which
// ovn-controller then makes tunnels (other_config:is-remote in ovn-sb(5), Chassis).
// It leaves every chassis alone that it did not make: the node's own above all.
type Remotes struct {
	conn    *connection
	changes chan struct{}
}

// remoteID, with value true in external_ids of a Chassis, makes it ours.
const remoteID = "l2sm.io/remote"

// DialRemotes is [Dial] for the chassis of other zones in a southbound database.
func DialRemotes(ctx context.Context, cfg Config) (*Remotes, error) {
	chassis, encap := &sb.Chassis{}, &sb.Encap{}
	m, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{sb.ChassisTable: chassis, sb.EncapTable: encap})
	if err != nil {
		return nil, fmt.Errorf("build southbound model: %w", err)
	}
	db := database{model: m, tables: []client.MonitorOption{
		client.WithTable(chassis, &chassis.Name, &chassis.Hostname, &chassis.OtherConfig, &chassis.ExternalIDs, &chassis.Encaps),
		client.WithTable(encap, &encap.ChassisName, &encap.Type, &encap.IP),
	}}
	r := &Remotes{changes: make(chan struct{}, 1)}
	if r.conn, err = dial(ctx, cfg, db, r.watch); err != nil {
		return nil, fmt.Errorf("dial southbound database: %w", err)
	}
	return r, nil
}

// Close ends the client.
func (r *Remotes) Close() { r.conn.close() }

// Changes receives a value after a connection was made, or rows have changed:
// it is time to apply again. Values that are not taken are kept as one. The channel
// is never closed.
func (r *Remotes) Changes() <-chan struct{} { return r.changes }

func (r *Remotes) watch(s *session) {
	changed := func() {
		select {
		case r.changes <- struct{}{}:
		default:
		}
	}
	s.cache.AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(string, model.Model) { changed() },
		UpdateFunc: func(string, model.Model, model.Model) { changed() },
		DeleteFunc: func(string, model.Model) { changed() },
	})
	changed()
}

// Apply makes the database hold these chassis. With prune it removes others that
// it made before. Nothing is written where nothing differs. It returns the
// names of those that somebody else's chassis stands for, or stands in the way of.
// Without a connection the error is [ErrNotConnected].
func (r *Remotes) Apply(ctx context.Context, want []Remote, prune bool) (foreign []string, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for conflicts := 0; ; conflicts++ {
		s, err := r.conn.now()
		if err != nil {
			return nil, fmt.Errorf("apply remote chassis: %w", err)
		}
		ops, foreign := remoteOperations(remotesIn(s), want, prune)
		if len(ops) == 0 {
			return foreign, nil
		}
		if err = s.transact(ctx, ops); err == nil {
			return foreign, nil
		}
		if !errors.Is(err, errConflict) || conflicts == maxConflicts {
			return foreign, fmt.Errorf("apply remote chassis: %w", err)
		}
	}
}

// heldRemote is a Chassis, as far as it matters here.
type heldRemote struct {
	Remote
	uuid string
	ours bool
}

// remotesIn are all chassis of the database, by name.
func remotesIn(s *session) map[string]heldRemote {
	encaps := s.cache.Table(sb.EncapTable).RowsShallow()
	held := map[string]heldRemote{}
	for uuid, row := range s.cache.Table(sb.ChassisTable).RowsShallow() {
		c := row.(*sb.Chassis)
		h := heldRemote{uuid: uuid, ours: c.ExternalIDs[remoteID] == strconv.FormatBool(true), Remote: Remote{Name: c.Name, Hostname: c.Hostname}}
		if len(c.Encaps) == 1 && c.OtherConfig["is-remote"] == strconv.FormatBool(true) {
			if e, is := encaps[c.Encaps[0]].(*sb.Encap); is && e.Type == sb.EncapTypeGeneve && e.ChassisName == c.Name {
				h.Address = e.IP
			}
		}
		held[c.Name] = h
	}
	return held
}

// remoteOperations are what must be done, in one transaction: two nodes may have
// exchanged their addresses, of which the database holds each once.
func remoteOperations(held map[string]heldRemote, want []Remote, prune bool) (ops []ovsdb.Operation, foreign []string) {
	wanted := map[string]bool{}
	for _, w := range want {
		wanted[w.Name] = true
	}
	var adding []ovsdb.Operation
	for i, w := range want {
		h, has := held[w.Name]
		switch {
		case has && !h.ours:
			foreign = append(foreign, w.Name)
		case has && h.Remote == w:
		default:
			if has {
				ops = append(ops, removed(h))
			}
			adding = append(adding, added(w, i)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(held)) {
		if h := held[name]; prune && h.ours && !wanted[name] {
			ops = append(ops, removed(h))
		}
	}
	return append(ops, adding...), foreign
}

// removed takes its Encap along, which nothing else refers to.
func removed(h heldRemote) ovsdb.Operation {
	return ovsdb.Operation{Op: ovsdb.OperationDelete, Table: sb.ChassisTable, Where: row(h.uuid)}
}

func added(w Remote, i int) []ovsdb.Operation {
	encap := "encap" + strconv.Itoa(i)
	return []ovsdb.Operation{
		{Op: ovsdb.OperationInsert, Table: sb.EncapTable, UUIDName: encap, Row: ovsdb.Row{
			"type": sb.EncapTypeGeneve, "ip": w.Address, "chassis_name": w.Name, "options": stringMap(map[string]string{"csum": "true"}),
		}},
		{Op: ovsdb.OperationInsert, Table: sb.ChassisTable, Row: ovsdb.Row{
			"name": w.Name, "hostname": w.Hostname, "encaps": uuidSet([]string{encap}),
			"other_config": stringMap(map[string]string{"is-remote": "true"}),
			"external_ids": stringMap(map[string]string{remoteID: "true"}),
		}},
	}
}
