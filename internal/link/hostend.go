package link

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
)

// Owner is the CNI ADD that an interface is made in: its parameters name one
// attachment of a container to a network in the sense of the CNI
// specification, "Section 2: Execution Protocol".
type Owner struct {
	// Container is CNI_CONTAINERID.
	Container string
	// IfName is CNI_IFNAME.
	IfName string
	// Config is the ConfigName of the network configuration.
	Config string
}

// NewOwner returns the owner of an ADD with a network configuration of any
// name.
func NewOwner(container, ifname, config string) Owner {
	return Owner{Container: container, IfName: ifname, Config: ConfigName(config)}
}

// configDigits and maxConfig keep an alias below the 255 bytes that the kernel
// stores (IFALIASZ): a container's ID has 64, an interface's name 15.
const (
	configDigits = 16
	maxConfig    = 100
)

// ConfigName is the name of a network configuration as an Owner has it: a name
// of more than 100 bytes, such as a long L2Network's, is cut and ends with a
// tilde, which no configuration's name may hold, and its hash.
func ConfigName(name string) string {
	if len(name) <= maxConfig {
		return name
	}
	return name[:maxConfig-configDigits-1] + "~" + hash(name, configDigits)
}

// HostEnd is the node's end of a pod's interface.
type HostEnd struct {
	// Name on the node, from HostName.
	Name string
	// Owner is written to the link's alias. It is empty where the agent died
	// between making the link and writing it.
	Owner Owner
}

// Host ends are called prefix, then containerDigits of the container's hash,
// then interfaceDigits of the interface's: 15 characters, IFNAMSIZ less its
// zero. 40 bits tell the containers of a node apart, 20 the interfaces of a
// pod.
const (
	prefixHost      = "l2p"
	containerDigits = 8
	interfaceDigits = 4
)

var digits = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

func hash(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return digits.EncodeToString(sum[:])[:n]
}

// HostName is the name of the host end of a container's interface: the same
// for the same input, and different for others.
func HostName(container, iface string) string {
	return hostPrefix(container) + hash(iface, interfaceDigits)
}

func hostPrefix(container string) string { return prefixHost + hash(container, containerDigits) }

// In says whether the host end is that of an interface in the container. One
// without an owner is told by its name: its maker is dead.
func (h HostEnd) In(container string) bool {
	if h.Owner == (Owner{}) {
		return strings.HasPrefix(h.Name, hostPrefix(container))
	}
	return h.Owner.Container == container
}

// aliasTag starts the alias of every host end. A space parts the fields: none
// of them may hold one (CNI specification, "Parameters").
const aliasTag = "l2sm"

func (o Owner) alias() string {
	return fmt.Sprintf("%s %s %s %s", aliasTag, o.Container, o.IfName, o.Config)
}

func parseAlias(alias string) (Owner, bool) {
	f := strings.Split(alias, " ")
	if len(f) != 4 || f[0] != aliasTag {
		return Owner{}, false
	}
	return Owner{Container: f[1], IfName: f[2], Config: f[3]}, true
}

// Get returns the host end of that name, or nil where the node has none.
func (l *Links) Get(host string) (*HostEnd, error) {
	link, err := netlink.LinkByName(host)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get host end %q: %w", host, err)
	}
	owner, _ := parseAlias(link.Attrs().Alias)
	return &HostEnd{Name: host, Owner: owner}, nil
}

// List returns the host ends on the node.
func (l *Links) List() ([]HostEnd, error) {
	all, err := Whole(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	var ends []HostEnd
	for _, link := range all {
		if end, ok := hostEnd(link); ok {
			ends = append(ends, end)
		}
	}
	return ends, nil
}

// hostEnd recognises our links: those with our alias, and veths of our name's
// form without any.
func hostEnd(link netlink.Link) (HostEnd, bool) {
	name, alias := link.Attrs().Name, link.Attrs().Alias
	if owner, ok := parseAlias(alias); ok {
		return HostEnd{Name: name, Owner: owner}, true
	}
	ours := alias == "" && link.Type() == "veth" && strings.HasPrefix(name, prefixHost) &&
		len(name) == len(prefixHost)+containerDigits+interfaceDigits
	return HostEnd{Name: name}, ours
}
