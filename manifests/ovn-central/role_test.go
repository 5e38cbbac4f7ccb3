//go:build integration

package central_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rights are operations, and the columns of an update.
type rights struct {
	insert, delete bool
	update         []string
}

// others is what role ovn-controller of OVN 23.03 lets a node do to rows that are
// not its own. docs/security.md says so, too.
var others = map[string]rights{
	"Port_Binding":     {update: []string{"additional_chassis", "additional_encap", "chassis", "encap", "options", "up", "virtual_parent"}},
	"FDB":              {true, true, []string{"dp_key", "mac", "port_key"}},
	"MAC_Binding":      {true, true, []string{"datapath", "ip", "logical_port", "mac", "timestamp"}},
	"IGMP_Group":       {true, true, []string{"address", "chassis", "datapath", "ports"}},
	"Controller_Event": {true, true, []string{"chassis", "event_info", "event_type", "seq_num"}},
	"BFD":              {update: []string{"status"}},
	"Service_Monitor":  {update: []string{"status"}},
}

// own are its rights to the rows that carry its name, in one column.
var own = map[string]struct {
	rights
	name string
}{
	"Chassis":         {rights{true, true, []string{"encaps", "external_ids", "nb_cfg", "other_config", "transport_zones", "vtep_logical_switches"}}, "name"},
	"Chassis_Private": {rights{true, true, []string{"chassis", "external_ids", "nb_cfg", "nb_cfg_timestamp"}}, "name"},
	"Encap":           {rights{true, true, []string{"ip", "options", "type"}}, "chassis_name"},
}

// content is a northbound database from which northd fills most tables.
const content = `ls-add net -- lsp-add net p1 -- lsp-set-addresses p1 0a:00:00:00:00:01 -- lsp-add net p2 -- lsp-set-addresses p2 unknown
-- lr-add lr -- lrp-add lr lrp 0a:00:00:00:00:03 10.0.0.254/24 -- lrp-add lr out 0a:00:00:00:00:04 192.0.2.1/24
-- lsp-add net rp -- lsp-set-type rp router -- lsp-set-addresses rp router -- lsp-set-options rp router-port=lrp
-- set Logical_Switch net other_config:mcast_snoop=true other_config:mcast_querier=false
-- pg-add pg p1 p2 -- create Address_Set name=as addresses=10.0.0.1 -- meter-add meter drop 10 kbps
-- lb-add lb 10.0.0.9:80 10.0.0.1:80 -- ls-lb-add net lb -- set Load_Balancer lb ip_port_mappings:10.0.0.1=p1:10.0.0.254
-- --id=@hc create Load_Balancer_Health_Check vip="10.0.0.9:80" -- add Load_Balancer lb health_check @hc
-- --id=@dns create DNS records:vm=10.0.0.1 -- add Logical_Switch net dns_records @dns
-- create BFD logical_port=out dst_ip=192.0.2.2
-- create Static_MAC_Binding logical_port=lrp ip=10.0.0.7 mac="0a:00:00:00:00:07"
-- lrp-set-gateway-chassis out node-b -- mirror-add m gre 1 from-lport 192.0.2.9 -- create Chassis_Template_Var chassis=node-b
-- --id=@op create DHCP_Options cidr=10.0.0.0/24 options:server_id=10.0.0.254 options:server_mac="0a:00:00:00:00:08" options:lease_time=60 -- set Logical_Switch_Port p1 dhcpv4_options=@op`

func insert(table string, row map[string]any) operation {
	return operation{"op": "insert", "table": table, "row": row}
}

// chassis are the rows that an ovn-controller makes.
func chassis(name, ip string) []operation {
	encap := insert("Encap", map[string]any{"type": "geneve", "ip": ip, "chassis_name": name})
	encap["uuid-name"] = "encap"
	chassis := insert("Chassis", map[string]any{"name": name, "hostname": name, "encaps": []any{"named-uuid", "encap"}})
	chassis["uuid-name"] = "chassis"
	return []operation{
		encap, chassis,
		insert("Chassis_Private", map[string]any{"name": name}),
	}
}

// fillTables has northd and another node, node-b, write rows.
func (c *central) fillTables() {
	c.t.Helper()
	c.fill(c.nodes)
	c.eventually(func() bool { return c.connects(c.identity("node-a", c.nodes), nodesPort) }, "nodes are let in")
	args := append([]string{"--db=unix:" + filepath.Join(c.root, "run/ovn/ovnnb_db.sock"), "--timeout=20", "--wait=sb"}, strings.Fields(content)...)
	if out, err := exec.Command("ovn-nbctl", args...).CombinedOutput(); err != nil {
		c.t.Fatalf("ovn-nbctl: %v\n%s", err, out)
	}
	seeds := append(chassis("node-b", "192.0.2.12"),
		insert("FDB", map[string]any{"mac": "0a:00:00:00:00:09", "dp_key": 1, "port_key": 1}),
		insert("Controller_Event", map[string]any{"event_type": "empty_lb_backends", "seq_num": 1}),
		operation{"op": "insert", "table": "SSL", "uuid-name": "ssl", "row": map[string]any{"private_key": "k", "certificate": "c", "ca_cert": "a"}},
		operation{"op": "update", "table": "SB_Global", "where": []any{}, "row": map[string]any{"ssl": []any{"named-uuid", "ssl"}}})
	for _, port := range c.rows("Port_Binding") {
		switch port["logical_port"] {
		case "p1":
			seeds = append(seeds, insert("IGMP_Group", map[string]any{"address": "239.0.0.1", "datapath": port["datapath"], "ports": port["_uuid"], "chassis": []any{"named-uuid", "chassis"}}))
		case "out":
			seeds = append(seeds, insert("MAC_Binding", map[string]any{"logical_port": "out", "ip": "192.0.2.2", "datapath": port["datapath"]}))
		}
	}
	c.succeed(c.socket("ovnsb_db.sock"), seeds...)
	c.eventually(func() bool { return len(c.rows("HA_Chassis")) > 0 }, "northd knows of node-b")
}

func (c *central) succeed(as *client, operations ...operation) {
	c.t.Helper()
	answers, err := as.transact(southbound, operations...)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, a := range answers {
		if a.Error != "" {
			c.t.Fatalf("%v: %s: %s", operations, a.Error, a.Details)
		}
	}
}

func (c *central) rows(table string) []map[string]any {
	c.t.Helper()
	answers, err := c.socket("ovnsb_db.sock").transact(southbound, operation{"op": "select", "table": table, "where": []any{}})
	if err != nil || answers[0].Error != "" {
		c.t.Fatalf("read %s: %v %v", table, err, answers)
	}
	return answers[0].Rows
}

// mayDo tries an operation in a transaction that is given up, and says whether the
// role allowed it.
func (c *central) mayDo(as *client, o operation) bool {
	c.t.Helper()
	answers, err := as.transact(southbound, o, operation{"op": "abort"})
	if err != nil {
		c.t.Fatal(err)
	}
	switch first := answers[0]; first.Error {
	case "":
		if o["op"] != "insert" && first.Count == 0 {
			c.t.Fatalf("%v met no row", o)
		}
		return true
	case "permission error":
		return false
	default:
		c.t.Fatalf("%v: %s: %s", o, first.Error, first.Details)
		return false
	}
}

// column is a column of the schema.
type column struct {
	Type    json.RawMessage
	Mutable *bool
}

func readSchema(t *testing.T) map[string]map[string]column {
	t.Helper()
	text, err := os.ReadFile("/usr/share/ovn/ovn-sb.ovsschema")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Tables map[string]struct{ Columns map[string]column }
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	tables := map[string]map[string]column{}
	for name, table := range schema.Tables {
		tables[name] = table.Columns
	}
	return tables
}

// A node tries every operation on every column of every table of the southbound
// database: its role lets it do what stands above, and nothing else.
func TestNodesRole(t *testing.T) {
	c := start(t)
	c.fillTables()
	node, err := c.dial(c.identity("node-a", c.nodes), nodesPort)
	if err != nil {
		t.Fatal(err)
	}
	c.succeed(node, chassis("node-a", "192.0.2.11")...)
	filled, tried := 0, 0
	try := func(o operation, want bool, what string) {
		t.Helper()
		tried++
		if got := c.mayDo(node, o); got != want {
			t.Errorf("a node may %s: %t, want %t", what, got, want)
		}
	}
	tables := readSchema(t)
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		foreign := others[table]
		row := least(tables[table])
		if name := own[table].name; name != "" {
			row[name] = "node-b"
		}
		try(insert(table, row), foreign.insert, "insert another's row into "+table)
		seen := map[bool]bool{}
		for _, row := range c.rows(table) {
			mine := own[table].name != "" && row[own[table].name] == "node-a"
			if seen[mine] {
				continue // one of each will do
			}
			seen[mine] = true
			allowed, whose := foreign, "another's row of "
			if mine {
				allowed, whose = own[table].rights, "its row of "
			}
			where := []any{[]any{"_uuid", "==", row["_uuid"]}}
			try(operation{"op": "delete", "table": table, "where": where}, allowed.delete, "delete "+whose+table)
			for name, column := range tables[table] {
				if column.Mutable != nil && !*column.Mutable {
					continue // by nobody
				}
				may := slices.Contains(allowed.update, name)
				try(operation{"op": "update", "table": table, "where": where, "row": map[string]any{name: row[name]}}, may, "update "+name+" of "+whose+table)
				if m := mutation(name, column); m != nil {
					try(operation{"op": "mutate", "table": table, "where": where, "mutations": []any{m}}, may, "mutate "+name+" of "+whose+table)
				}
			}
		}
		if seen[false] {
			filled++
		} else {
			t.Logf("no row of %s to try", table)
		}
	}
	if filled < len(tables)-1 || tried < 300 { // no version fills Gateway_Chassis any more
		t.Errorf("%d tables had rows, %d operations were tried: too few", filled, tried)
	}
	t.Logf("%d operations on %d tables", tried, len(tables))
}

// least is a row that the schema's constraints let pass, where zero is not in a
// column's range.
func least(columns map[string]column) map[string]any {
	row := map[string]any{}
	for name, c := range columns {
		var t struct {
			Min *int
			Key struct {
				MinInteger int
				Enum       []any
			}
		}
		if json.Unmarshal(c.Type, &t) != nil || t.Min != nil && *t.Min == 0 {
			continue // an atom of any value, or one that may be missing
		}
		if t.Key.MinInteger > 0 {
			row[name] = t.Key.MinInteger
		}
		if len(t.Key.Enum) == 2 {
			row[name] = t.Key.Enum[1].([]any)[0] // ["set", [...]]
		}
	}
	return row
}

// mutation inserts nothing into a column that is a set or a map.
func mutation(name string, c column) []any {
	var t struct{ Max, Value any }
	if json.Unmarshal(c.Type, &t) != nil || t.Max == nil {
		return nil // an atom
	}
	kind := "set"
	if t.Value != nil {
		kind = "map"
	}
	return []any{name, "insert", []any{kind, []any{}}}
}
