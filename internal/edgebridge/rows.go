package edgebridge

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"l2sm.io/l2sm/internal/ovs/vs"
)

// keyEdge, in external_ids of our rows, says what they are for: a peer's address, or
// fabric; of a bridge, outlet.
const (
	keyEdge = "l2sm.io/edge"
	fabric  = "fabric"
	outlet  = "outlet"
)

// userspace is the datapath_type of Open vSwitch's own datapath, ovs-vswitchd.conf.db(5).
const userspace = "netdev"

// Types of interfaces, ovs-vswitchd.conf.db(5).
const (
	typeVXLAN = "vxlan"
	typePatch = "patch"
)

var tables = map[string]model.Model{
	vs.BridgeTable:      &vs.Bridge{},
	vs.InterfaceTable:   &vs.Interface{},
	vs.OpenvSwitchTable: &vs.OpenvSwitch{},
	vs.PortTable:        &vs.Port{},
}

// monitor leaves the interfaces of pods out.
func monitor(db client.Client) *client.Monitor {
	var (
		root   vs.OpenvSwitch
		bridge vs.Bridge
		port   vs.Port
		iface  vs.Interface
	)
	of := func(t string) model.Condition {
		return model.Condition{Field: &iface.Type, Function: ovsdb.ConditionEqual, Value: t}
	}
	return db.NewMonitor(
		client.WithTable(&root, &root.ExternalIDs),
		client.WithTable(&bridge, &bridge.Name, &bridge.DatapathType, &bridge.FailMode, &bridge.ExternalIDs),
		client.WithTable(&port, &port.Name),
		client.WithConditionalTable(&iface, []model.Condition{of(typeVXLAN), of(typePatch)},
			&iface.Name, &iface.Type, &iface.Ofport, &iface.Error, &iface.Options, &iface.ExternalIDs, &iface.BFD, &iface.BFDStatus),
	)
}

// portName is a VXLAN port's: 15 characters, as an interface's may have, of which 52 bits
// tell endpoints apart.
func portName(endpoint string) string {
	sum := sha256.Sum256([]byte(endpoint))
	return "vx" + hex.EncodeToString(sum[:])[:13]
}

// networkOf returns namespace/name of the network whose patch port on the edge's bridge has
// the name. ovn-controller names it patch-PORT-to-br-int, for the l2gateway port
// l2sm/NAMESPACE/NAME/edge.
func networkOf(iface string) (string, bool) {
	rest, isPatch := strings.CutPrefix(iface, "patch-l2sm/")
	name, isEdge := strings.CutSuffix(rest, "/edge-to-br-int")
	return name, isPatch && isEdge && strings.Count(name, "/") == 1
}

// endpointOf reads what a VXLAN port of ours is for; fabrics' has no address.
func endpointOf(row *vs.Interface) (netip.Addr, bool) {
	text := row.ExternalIDs[keyEdge]
	if text == fabric {
		return netip.Addr{}, true
	}
	endpoint, err := netip.ParseAddr(text)
	return endpoint, err == nil
}

// number is the port's in its bridge: zero where ovs-vswitchd has given none, or could not
// (-1).
func number(row *vs.Interface) uint32 {
	if row.Ofport == nil || *row.Ofport < 0 {
		return 0
	}
	return uint32(*row.Ofport)
}

func tunnelOf(row *vs.Interface) Tunnel {
	t := Tunnel{Port: number(row), BFD: BFD{
		Forwarding: row.BFDStatus["forwarding"] == "true",
		State:      row.BFDStatus["state"],
		Diagnostic: row.BFDStatus["diagnostic"],
	}}
	if row.Error != nil {
		t.Error = *row.Error
	}
	return t
}
