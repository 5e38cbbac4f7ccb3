package ovn

import (
	"context"
	"errors"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/ovn/sb"
)

// Zone is the southbound database of one zone, one node's part of OVN. It makes it
// hold the chassis of other zones, to which ovn-controller then makes tunnels
// (other_config:is-remote in ovn-sb(5), Chassis), and says which tunnel keys northd
// has given. It leaves every chassis alone that it did not make: the node's own above
// all.
type Zone struct {
	conn    *connection
	changes chan struct{}
}

// DialZone is [Dial] for a zone's southbound database.
func DialZone(ctx context.Context, cfg Config) (*Zone, error) {
	chassis, encap, datapath := &sb.Chassis{}, &sb.Encap{}, &sb.DatapathBinding{}
	m, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{
		sb.ChassisTable: chassis, sb.EncapTable: encap, sb.DatapathBindingTable: datapath,
	})
	if err != nil {
		return nil, fmt.Errorf("build southbound model: %w", err)
	}
	db := database{model: m, tables: []client.MonitorOption{
		client.WithTable(chassis, &chassis.Name, &chassis.Hostname, &chassis.OtherConfig, &chassis.ExternalIDs, &chassis.Encaps),
		client.WithTable(encap, &encap.ChassisName, &encap.Type, &encap.IP),
		client.WithTable(datapath, &datapath.ExternalIDs, &datapath.TunnelKey),
	}}
	z := &Zone{changes: make(chan struct{}, 1)}
	if z.conn, err = dial(ctx, cfg, db, z.watch); err != nil {
		return nil, fmt.Errorf("dial southbound database: %w", err)
	}
	return z, nil
}

// Close ends the client.
func (z *Zone) Close() { z.conn.close() }

// Changes receives a value after a connection was made, or rows have changed:
// it is time to look again. Values that are not taken are kept as one. The channel
// is never closed.
func (z *Zone) Changes() <-chan struct{} { return z.changes }

func (z *Zone) watch(s *session) {
	changed := func() {
		select {
		case z.changes <- struct{}{}:
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

// ApplyRemotes makes the database hold these chassis. With prune it removes others that
// it made before. Nothing is written where nothing differs. It returns the
// names of those that somebody else's chassis stands for, or stands in the way of.
// Without a connection the error is [ErrNotConnected].
func (z *Zone) ApplyRemotes(ctx context.Context, want []Remote, prune bool) (foreign []string, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for conflicts := 0; ; conflicts++ {
		s, err := z.conn.now()
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

// TunnelKeys are those that northd has given to the switches of networks. It gives
// another than is requested where a datapath has that, and only its log tells.
// Without a connection the error is [ErrNotConnected].
func (z *Zone) TunnelKeys() (map[Key]int, error) {
	s, err := z.conn.now()
	if err != nil {
		return nil, fmt.Errorf("list tunnel keys: %w", err)
	}
	keys := map[Key]int{}
	for _, row := range s.cache.Table(sb.DatapathBindingTable).RowsShallow() {
		d := row.(*sb.DatapathBinding)
		if key, is := ownerKey(nil, d.ExternalIDs["name"]); is {
			keys[key] = d.TunnelKey
		}
	}
	return keys, nil
}
