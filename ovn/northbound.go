package ovn

import (
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/ovn/nb"
)

// northboundDatabase is the part of the northbound database that is replicated:
// the columns that this package writes, of the tables that it writes. Columns
// that others keep changing, such as up, cost a wake-up a change; columns that
// the models lack, because the server is newer, break libovsdb's replica.
func northboundDatabase() (database, error) {
	sw, port, dhcp, global := &nb.LogicalSwitch{}, &nb.LogicalSwitchPort{}, &nb.DHCPOptions{}, &nb.NBGlobal{}
	db, err := model.NewClientDBModel("OVN_Northbound", map[string]model.Model{
		nb.LogicalSwitchTable:     sw,
		nb.LogicalSwitchPortTable: port,
		nb.DHCPOptionsTable:       dhcp,
		nb.NBGlobalTable:          global,
	})
	if err != nil {
		return database{}, err
	}

	ofNetwork := []model.ClientIndex{{Columns: []model.ColumnKey{{Column: "external_ids", Key: networkID}}}}
	db.SetIndexes(map[string][]model.ClientIndex{
		nb.LogicalSwitchTable: ofNetwork,
		nb.DHCPOptionsTable:   ofNetwork,
	})
	return database{model: db, tables: []client.MonitorOption{
		client.WithTable(sw, &sw.Name, &sw.Ports, &sw.ExternalIDs),
		client.WithTable(port, &port.Name, &port.Addresses, &port.PortSecurity, &port.Dhcpv4Options, &port.Dhcpv6Options, &port.ExternalIDs),
		client.WithTable(dhcp, &dhcp.Cidr, &dhcp.Options, &dhcp.ExternalIDs),
		client.WithTable(global, &global.NbCfg),
	}}, nil
}
