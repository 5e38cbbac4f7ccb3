package edgebridge

import (
	"maps"
	"slices"
	"strings"

	"l2sm.io/l2sm/internal/ovs/vs"
)

// keyMappings is where ovn-controller reads which bridge a network_name is, in
// external_ids of Open_vSwitch.
const keyMappings = "ovn-bridge-mappings"

// bfd has a silent end be seen within a second: three intervals of 300 ms each
// (ovs-vswitchd.conf.db(5)).
var bfd = map[string]string{"enable": "true", "min_tx": "300", "min_rx": "300"}

// desired are the VXLAN ports that a Config means.
func desired(c Config) map[string]*vs.Interface {
	ports := map[string]*vs.Interface{}
	add := func(owner, remote string, bfd map[string]string) {
		name := portName(owner)
		ports[name] = &vs.Interface{
			Name: name, Type: typeVXLAN, BFD: bfd, ExternalIDs: map[string]string{keyEdge: owner},
			Options: map[string]string{"remote_ip": remote, "local_ip": c.Local.String(), "key": "flow"},
		}
	}
	for _, peer := range c.Peers {
		add(peer.String(), peer.String(), bfd)
	}
	if c.Fabric {
		add(fabric, "flow", nil)
	}
	return ports
}

// found is what the database has.
type found struct {
	root              *vs.OpenvSwitch
	integration, edge *vs.Bridge
	// outlets are the bridges of ours that tunnels leave through, by name; outletPort says
	// that the wanted one's port is there.
	outlets    map[string]*vs.Bridge
	outletPort bool
	// tunnels are those of our ports and of the names wanted that are there.
	tunnels map[string]*vs.Interface
}

// plan is what is to be done about it.
type plan struct {
	// create makes the bridge; repair gives it the columns that it must have.
	create, repair bool
	datapath       string
	// outlet is to be made, or to be given its port; former ones go.
	outlet      *Outlet
	former      []*vs.Bridge
	add, change []*vs.Interface
	remove      []string
	// mappings replaces the value of ovn-bridge-mappings, unless it is the same.
	mappings string
}

// decide compares the database with what is wanted.
func decide(f found, c Config) plan {
	p := plan{datapath: f.integration.DatapathType, mappings: mapped(f.root.ExternalIDs[keyMappings])}
	p.create = f.edge == nil
	p.repair = !p.create && (f.edge.DatapathType != p.datapath || f.edge.FailMode == nil || *f.edge.FailMode != vs.BridgeFailModeSecure)
	p.former = former(f, c)
	if c.Outlet != nil && (f.outlets[c.Outlet.Bridge] == nil || !f.outletPort) {
		p.outlet = c.Outlet
	}
	want := desired(c)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		is, exists := f.tunnels[name]
		switch {
		case !exists:
			p.add = append(p.add, want[name])
		case !alike(is, want[name]):
			want[name].UUID = is.UUID
			p.change = append(p.change, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.tunnels)) {
		if _, wanted := want[name]; !wanted {
			p.remove = append(p.remove, name)
		}
	}
	return p
}

// former are the bridges that tunnels left through, and do no longer.
func former(f found, c Config) []*vs.Bridge {
	var gone []*vs.Bridge
	for _, name := range slices.Sorted(maps.Keys(f.outlets)) {
		if c.Outlet == nil || name != c.Outlet.Bridge {
			gone = append(gone, f.outlets[name])
		}
	}
	return gone
}

func alike(is, want *vs.Interface) bool {
	return is.Type == want.Type && maps.Equal(is.Options, want.Options) && maps.Equal(is.BFD, want.BFD) &&
		is.ExternalIDs[keyEdge] == want.ExternalIDs[keyEdge]
}

// mapped is a value of ovn-bridge-mappings with ours in it, and all others as they are.
func mapped(value string) string {
	ours := Provider + ":" + Name
	if slices.Contains(strings.Split(value, ","), ours) {
		return value
	}
	return strings.Trim(unmapped(value)+","+ours, ",")
}

// unmapped is a value of ovn-bridge-mappings without ours.
func unmapped(value string) string {
	others := slices.DeleteFunc(strings.Split(value, ","), func(m string) bool {
		provider, _, _ := strings.Cut(m, ":")
		return strings.TrimSpace(provider) == Provider
	})
	return strings.Join(others, ",")
}
