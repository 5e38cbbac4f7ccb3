package edge

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/openflow"
)

// network is an L2Network that goes on in other clusters.
type network struct {
	object *v1alpha1.L2Network
	vni    uint32
	// peers in force, sorted.
	peers []string
	// hosts are the attachments whose port is on the network, filled that all of them are
	// known: a type 2 that is missing floods, one that is withdrawn and comes again loses
	// frames.
	hosts  map[types.NamespacedName]host
	filled bool
	// end ends the watch of the attachments.
	end context.CancelFunc
	// byMAC finds hosts.
	byMAC map[evpn.MAC]types.NamespacedName
	// announced is what peers were told, by MAC address; that of the network itself is under
	// the zero address. base are the flows that are there beside those of MAC addresses.
	announced map[evpn.MAC]map[evpn.RouteKey]announced
	base      map[openflow.Key]openflow.Flow
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2networks;l2attachments,verbs=get;list;watch

// networkChanged follows an L2Network.
func (e *Edge) networkChanged(before, after *v1alpha1.L2Network) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if after == nil {
		e.leave(before.Key())
		return
	}
	s := after.Status.Stretch
	if s == nil || s.ID == 0 || !after.DeletionTimestamp.IsZero() {
		e.leave(after.Key())
		return
	}
	key := after.Key()
	if n := e.networks[key]; n != nil && (n.vni != uint32(s.ID) || n.object.UID != after.UID) {
		e.leave(key)
	}
	n := e.networks[key]
	if n == nil {
		if other := e.byVNI[uint32(s.ID)]; other != nil { // its id goes to another one: that is told first, or later
			e.log.Info("Two networks have one id for the moment", "id", s.ID, "networks", []types.NamespacedName{key, other.object.Key()})
			e.leave(other.object.Key())
		}
		n = &network{
			object: after, vni: uint32(s.ID), hosts: map[types.NamespacedName]host{}, byMAC: map[evpn.MAC]types.NamespacedName{},
			announced: map[evpn.MAC]map[evpn.RouteKey]announced{}, base: map[openflow.Key]openflow.Flow{},
		}
		e.networks[key], e.byVNI[n.vni] = n, n
		if err := e.followMembers(n); err != nil {
			e.log.Error(err, "Cannot follow the attachments of a network", "network", key)
		}
	}
	other := n.object.Status.Stretch.Chassis != s.Chassis || n.object.Status.MTU != after.Status.MTU
	n.object = after
	if other {
		e.touch(n.vni)
	}
	var peers []string
	for _, p := range s.Peers {
		peers = append(peers, p.Name)
	}
	slices.Sort(peers)
	if !slices.Equal(n.peers, peers) {
		n.peers = peers
		e.policyChanged(n.vni)
		e.touch(n.vni)
	}
}

// leave forgets a network: the worker withdraws what is announced of it, and takes its
// flows.
func (e *Edge) leave(key types.NamespacedName) {
	n := e.networks[key]
	if n == nil {
		return
	}
	n.end()
	e.writeRemotesOf(n) // their names are forgotten
	delete(e.networks, key)
	delete(e.byVNI, n.vni)
	e.dirty.gone = append(e.dirty.gone, n)
	e.policyChanged(n.vni)
	e.touch(n.vni)
}

// followMembers watches the attachments of a network.
func (e *Edge) followMembers(n *network) error {
	ctx, cancel := context.WithCancel(e.ctx)
	n.end = cancel
	members, err := e.config.API.Members(n.object.Key())
	if err != nil {
		return err
	}
	err = errors.Join(err, members.OnAttachment(func(before, after *v1alpha1.L2Attachment) { e.attachmentChanged(n, before, after) }))
	if err != nil {
		return err
	}
	e.running.Go(func() {
		members.Run(ctx, func() { e.membersFilled(n, members) })
	})
	return nil
}

func (e *Edge) membersFilled(n *network, members *kube.Members) {
	for _, a := range members.Attachments() { // events may be behind the cache
		e.attachmentChanged(n, nil, a)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n.filled = true
	e.touch(n.vni)
}

// attachmentChanged follows an attachment of a network.
func (e *Edge) attachmentChanged(n *network, before, after *v1alpha1.L2Attachment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byVNI[n.vni] != n {
		return
	}
	key := cmp.Or(after, before).Key()
	if had, was := n.hosts[key]; was {
		delete(n.hosts, key)
		if n.byMAC[had.mac] == key {
			delete(n.byMAC, had.mac)
		}
		e.touchHost(n.vni, had.mac)
	}
	if after != nil {
		if h, is := hostOf(after); is {
			n.hosts[key], n.byMAC[h.mac] = h, key
			e.touchHost(n.vni, h.mac)
		}
	}
}

// policyChanged tells the table of whom a network is for.
func (e *Edge) policyChanged(vni uint32) {
	if n := e.byVNI[vni]; n != nil {
		e.table.SetNetwork(vni, n.peers)
		return
	}
	e.table.SetNetwork(vni, nil)
}

// host is the one with the MAC address.
func (n *network) host(mac evpn.MAC) (h host, is bool) {
	key, is := n.byMAC[mac]
	return n.hosts[key], is
}

// mtu is what peers are told of it, 0 for nothing. Fabrics are not: a switch may leave out
// who says another MTU than it has itself (draft-ietf-bess-rfc7432bis).
func (e *Edge) mtu(n *network) uint16 {
	for _, name := range n.peers {
		if p := e.cache.L2Peer(name); p != nil && p.Spec.Type == v1alpha1.PeerFabric {
			return 0
		}
	}
	if is := n.object.Status.MTU; is > 0 && is <= math.MaxUint16 {
		return uint16(is)
	}
	return 0
}

// to is whom a network's routes are announced to, as a text to compare.
func (n *network) to() string { return strings.Join(n.peers, ",") }
