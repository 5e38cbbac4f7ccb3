package v1alpha1

import (
	"fmt"
	"slices"
)

// Fabric is the setting of which northbound databases hold the networks.
type Fabric string

const (
	// FabricCentral is one northbound database, which the controller writes.
	FabricCentral Fabric = "Central"
	// FabricZones is one northbound database a node, of our own, which the node's
	// agent writes.
	FabricZones Fabric = "Zones"
	// FabricOVNKubernetes is FabricZones in the databases of an OVN-Kubernetes that
	// is there.
	FabricOVNKubernetes Fabric = "OVNKubernetes"
)

// Check says whether it is one of them.
func (f Fabric) Check() error {
	if all := []Fabric{FabricCentral, FabricZones, FabricOVNKubernetes}; !slices.Contains(all, f) {
		return fmt.Errorf("--fabric=%s: want one of %v", string(f), all)
	}
	return nil
}

// Zoned says whether each node has a northbound database of its own. Networks and
// ports then need tunnel keys that are the same in all of them.
func (f Fabric) Zoned() bool { return f != FabricCentral }
