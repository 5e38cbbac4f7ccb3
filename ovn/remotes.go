package ovn

import (
	"maps"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/ovn/sb"
)

// Remote is the chassis of a node that has databases of its own.
type Remote struct {
	// Name is the chassis' name, Hostname that of its node.
	Name     string `json:"name"`
	Hostname string `json:"hostname"`
	// Address is where its Geneve tunnels start.
	Address string `json:"address"`
}

// remoteID, with value true in external_ids of a Chassis, makes it ours.
const remoteID = "l2sm.io/remote"

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
