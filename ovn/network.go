package ovn

import (
	"fmt"
	"strings"
)

// namePrefix begins every name that we give to a row.
const namePrefix = "l2sm/"

// The largest tunnel keys that can be requested (ovn-nb(5)).
const (
	maxSwitchKey = 1<<24 - 1
	maxPortKey   = 1<<15 - 1
)

// Key identifies an l2sm network: the namespace and the name of its
// L2Network.
type Key struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "<namespace>/<name>".
func (k Key) String() string {
	return k.Namespace + "/" + k.Name
}

// Switch returns the name of the network's logical switch,
// "l2sm/<namespace>/<name>".
func (k Key) Switch() string {
	return namePrefix + k.String()
}

// Network is all that one northbound database must hold of one network: its
// logical switch and every port on it.
type Network struct {
	Key

	// UID is the UID of the L2Network. It is written into every row of the
	// network, so that a row tells which incarnation of a name it serves.
	UID string

	// Ports are the ports the switch must have, in any order. Our ports that
	// are on the switch but not here are removed.
	Ports []Port

	// Leaving are names of ports that another network takes over, by an Apply
	// of its own: while they are still on this switch they stay there.
	Leaving []string

	// DHCP are the sets of options that OVN's DHCP server answers with: at most
	// one of each family. Every port of the network refers to them.
	DHCP []DHCP

	// Guard is a match of frames (ovn-sb(5), Logical_Flow) that no port may send:
	// they are dropped. Empty lets all pass.
	Guard string

	// Tags lets frames with VLAN tags pass (other_config:vlan-passthru of the switch).
	// OVN then answers no ARP and no neighbour solicitation for the ports' addresses.
	Tags bool

	// FDBAge is other_config:fdb_age_threshold of the switch, in seconds: for how
	// long a learned MAC address is remembered that nobody uses. Zero is forever.
	FDBAge int

	// TunnelKey is other_config:requested-tnl-key of the switch (ovn-nb(5)),
	// 1-16777215. Zero leaves the choice to northd. Other keys of that column stay as they
	// are.
	TunnelKey int

	// Marks are further external_ids of the switch: what others that use the
	// database look for. Keys of ours are not among them.
	Marks map[string]string
}

// Port is one logical switch port. Order and repetition mean nothing in its
// slices: the columns are sets.
type Port struct {
	// Name is the port's name, "l2sm/<namespace>/<attachment>". It is unique in the whole
	// database: a port found on another switch is moved, not doubled.
	Name string `json:"name"`

	// Owner is the UID of the L2Attachment that the port is for.
	Owner string `json:"owner"`

	// Type is the column of that name in ovn-nb(5): empty for the interface of
	// a pod or a virtual machine.
	Type string `json:"type,omitempty"`

	// Addresses is the column of that name in ovn-nb(5): elements
	// "MAC [IP...]", and "unknown".
	Addresses []string `json:"addresses,omitempty"`

	// PortSecurity is the column port_security of ovn-nb(5): elements
	// "MAC [IP[/LEN]...]". Empty lets every frame pass.
	PortSecurity []string `json:"portSecurity,omitempty"`

	// Permit is a match of frames that the port may send though the network's Guard
	// drops them; "1" is all. Empty is none.
	Permit string `json:"permit,omitempty"`

	// Options is the column of that name in ovn-nb(5): requested-chassis,
	// iface-id-ver and so on. The whole column is written: keys that are not
	// here are removed.
	Options map[string]string `json:"options,omitempty"`

	// TunnelKey is options:requested-tnl-key, 1-32767. Zero leaves the choice to
	// northd.
	TunnelKey int `json:"tunnelKey,omitempty"`
}

// validate reports input that no database could hold.
func (n Network) validate() error {
	if n.Namespace == "" || n.Name == "" {
		return fmt.Errorf("network %q has no namespace or no name", n.Key)
	}

	seen := make(map[string]bool, len(n.Ports))
	for _, p := range n.Ports {
		if p.Name == "" {
			return fmt.Errorf("network %q has a port without a name", n.Key)
		}
		if seen[p.Name] {
			return fmt.Errorf("network %q has port %q twice", n.Key, p.Name)
		}
		seen[p.Name] = true
		if err := p.validate(); err != nil {
			return fmt.Errorf("network %q: %w", n.Key, err)
		}
	}
	if n.TunnelKey < 0 || n.TunnelKey > maxSwitchKey {
		return fmt.Errorf("network %q: tunnel key %d is not in 1-%d", n.Key, n.TunnelKey, maxSwitchKey)
	}
	if err := validateDHCP(n.DHCP); err != nil {
		return fmt.Errorf("network %q: %w", n.Key, err)
	}
	return nil
}

func (p Port) validate() error {
	if p.TunnelKey < 0 || p.TunnelKey > maxPortKey {
		return fmt.Errorf("port %q: tunnel key %d is not in 1-%d", p.Name, p.TunnelKey, maxPortKey)
	}
	if _, has := p.Options[tunnelKey]; has {
		return fmt.Errorf("port %q: option %s is TunnelKey", p.Name, tunnelKey)
	}
	return nil
}

// parseKey reads what [Key.String] wrote.
func parseKey(s string) (Key, bool) {
	namespace, name, ok := strings.Cut(s, "/")
	return Key{Namespace: namespace, Name: name}, ok && namespace != "" && name != ""
}
