package ovn

import (
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/ovn/nb"
)

// northboundDatabase is the part of the northbound database that is replicated:
// that of the kinds, and the mark of [Client.Complete].
func northboundDatabase() (database, error) {
	global := &nb.NBGlobal{}
	models := map[string]model.Model{nb.NBGlobalTable: global}
	tables := []client.MonitorOption{client.WithTable(global, &global.NbCfg)}
	for _, k := range kinds {
		r := k.replicated()
		models[r.table] = r.model
		tables = append(tables, client.WithTable(r.model, r.columns...))
	}

	db, err := model.NewClientDBModel("OVN_Northbound", models)
	if err != nil {
		return database{}, err
	}
	return database{model: db, tables: tables, kinds: kinds}, nil
}
