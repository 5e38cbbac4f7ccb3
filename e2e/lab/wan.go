package lab

import (
	"errors"
	"fmt"
	"slices"

	"l2sm.io/l2sm/e2e/lab/netns"
)

// What is the same in every network between clusters.
const (
	wan       = "wan"
	wanMTU    = 1500
	wanNIC    = "eth2"
	mostOnWAN = 9 // clusters: the tens of the last byte of an edge's address
	mostEdges = 8 // of a cluster: its ones
)

// wanLink is a node's link to a network between clusters.
type wanLink struct {
	Network string // its network namespace
	Node    string
	Port    string // the link's end there
	Address string
	MAC     string
}

// WANNode is a node that a network between clusters has.
type WANNode struct{ Lab, Node, Interface, Address string }

// ConnectWAN joins the last nodes of each cluster by a network of their own:
//
//	       east: last node         west: last node
//	            eth2                    eth2
//	wan: ----- 10.252.0.11 ----------- 10.252.0.21 -----    MTU 1500
//
// It has a network namespace, which is the first cluster's and goes with it. Of what is connected already it changes
// nothing. A node that is stopped and started has its link again.
func ConnectWAN(cache Cache, names []string, edges int) ([]WANNode, error) {
	if len(names) < 2 || len(names) > mostOnWAN {
		return nil, fmt.Errorf("%d clusters: want 2 to %d", len(names), mostOnWAN)
	}
	if edges < 1 || edges > mostEdges {
		return nil, fmt.Errorf("%d edges: want 1 to %d", edges, mostEdges)
	}
	unlock, err := lockAll(names)
	if err != nil {
		return nil, err
	}
	defer unlock()
	labs, err := openAll(cache, names)
	if err != nil {
		return nil, err
	}
	for i, l := range labs {
		if err := l.joinWAN(wanLinks(labs[0].plan.namespace(wan), i+1, l.plan.Nodes, edges)); err != nil {
			return nil, err
		}
	}
	if err := makeWAN(labs[0].plan.namespace(wan)); err != nil {
		return nil, err
	}
	var all []WANNode
	for _, l := range labs {
		for _, link := range l.state.WAN {
			if err := l.plugWAN(link); err != nil {
				return nil, err
			}
			all = append(all, WANNode{l.plan.Name, link.Node, wanNIC, link.Address})
		}
	}
	return all, nil
}

// DisconnectWAN takes away what ConnectWAN made of the same clusters, those that are up.
func DisconnectWAN(cache Cache, names []string) error {
	unlock, err := lockAll(names)
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range names {
		l, err := Open(cache, name)
		if errors.Is(err, ErrNotUp) {
			continue
		}
		if err != nil {
			return err
		}
		for _, link := range l.state.WAN {
			if err := unplugWAN(link); err != nil {
				return err
			}
		}
		l.state.WAN = nil
		if err := l.save(); err != nil {
			return err
		}
	}
	network := plan{Name: names[0]}.namespace(wan)
	if !netns.Exists(network) {
		return nil
	}
	if err := killAll(network); err != nil {
		return err
	}
	return netns.Delete(network)
}

// wanLinks are those of the last nodes of the cluster that is the nth of the network.
func wanLinks(network string, nth int, nodes []nodePlan, edges int) []wanLink {
	var links []wanLink
	for i, n := range nodes[max(0, len(nodes)-edges):] {
		host := 10*nth + min(edges, len(nodes)) - i // the last node's is the same however many there are
		links = append(links, wanLink{
			Network: network, Node: n.Name, Port: fmt.Sprintf("c%d-%s", nth, n.Name),
			Address: fmt.Sprintf("10.252.0.%d", host), MAC: fmt.Sprintf("02:00:0a:fc:00:%02x", host),
		})
	}
	return links
}

// joinWAN remembers the links before they are made: StartNode makes those of its node again.
func (l *Lab) joinWAN(links []wanLink) error {
	if len(l.state.WAN) > 0 && !slices.Equal(l.state.WAN, links) {
		return fmt.Errorf("lab %q is connected otherwise, by %s: `lab wan down` with the same clusters first", l.plan.Name, l.state.WAN[0].Network)
	}
	l.state.WAN = links
	return l.save()
}

func makeWAN(network string) error {
	if netns.Exists(network) {
		return nil
	}
	if err := netns.Create(network); err != nil {
		return err
	}
	return netns.IP(network, fmt.Sprintf("link add wan type bridge mcast_snooping 0\nlink set wan mtu %d up\n", wanMTU))
}

// plugNodeIntoWAN makes a starting node's links again, unless what they led to is gone.
func (l *Lab) plugNodeIntoWAN(n nodePlan) error {
	for _, link := range l.state.WAN {
		if link.Node != n.Name || !netns.Exists(link.Network) {
			continue
		}
		if err := l.plugWAN(link); err != nil {
			return err
		}
	}
	return nil
}

// plugWAN leaves a link alone that is there.
func (l *Lab) plugWAN(link wanLink) error {
	n, err := l.plan.node(link.Node)
	if err != nil {
		return err
	}
	if !netns.Exists(n.Namespace) {
		return nil // it is stopped
	}
	there, err := netns.Links(link.Network)
	if err != nil || slices.Contains(there, link.Port) {
		return err
	}
	if err := netns.IP(link.Network, link.plugScript(n.Namespace)); err != nil {
		return err
	}
	return netns.IP(n.Namespace, link.nodeScript())
}

func unplugWAN(link wanLink) error {
	if !netns.Exists(link.Network) {
		return nil
	}
	there, err := netns.Links(link.Network)
	if err != nil || !slices.Contains(there, link.Port) {
		return err
	}
	return netns.IP(link.Network, fmt.Sprintf("link del %s\n", link.Port))
}

func (w wanLink) plugScript(namespace string) string {
	return fmt.Sprintf("link add %s mtu %d up master wan type veth peer name %s address %s mtu %d netns %s\n", w.Port, wanMTU, wanNIC, w.MAC, wanMTU, namespace)
}

func (w wanLink) nodeScript() string {
	return fmt.Sprintf("link set %s up\naddr add %s/24 dev %[1]s\n", wanNIC, w.Address)
}

// lockAll locks clusters, always in the same order: two calls with the same ones must not wait for each other.
func lockAll(names []string) (func(), error) {
	ordered := slices.Sorted(slices.Values(names))
	var unlocks []func()
	unlock := func() {
		for _, u := range unlocks {
			u()
		}
	}
	for i, name := range ordered {
		if i > 0 && ordered[i-1] == name {
			unlock()
			return nil, fmt.Errorf("lab %q is named twice", name)
		}
		u, err := lock(name)
		if err != nil {
			unlock()
			return nil, err
		}
		unlocks = append(unlocks, u)
	}
	return unlock, nil
}

func openAll(cache Cache, names []string) ([]*Lab, error) {
	var labs []*Lab
	for _, name := range names {
		l, err := Open(cache, name)
		if err != nil {
			return nil, err
		}
		if !l.repairable() {
			return nil, fmt.Errorf("lab %q is not up: %w", name, ErrNotUp)
		}
		labs = append(labs, l)
	}
	return labs, nil
}
