package evpn

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// maxDead is how many withdrawn routes stay in GoBGP, see bury.
const maxDead = 1 << 14

const maxVNI = 1<<24 - 1

// announced is a route of ours in GoBGP.
type announced struct {
	route Route
	rd    *distinguisher
	peers []string
	// saw are the peers that were named since it is there. Those may see it withdrawn.
	saw  []string
	dead bool
}

// Announce implements Speaker.
func (s *GoBGP) Announce(_ context.Context, r Route, peers []string) error {
	if err := r.check(); err != nil {
		return err
	}
	peers = slices.Compact(slices.Sorted(slices.Values(peers)))
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Sequence = s.sequences.raised(r)
	a := s.ours[r.RouteKey]
	if a != nil && !a.dead && a.route == r && slices.Equal(a.peers, peers) {
		return nil
	}
	indexes := make([]uint32, 0, len(peers))
	for _, p := range peers {
		n, err := s.names.get(p)
		if err != nil {
			return err
		}
		indexes = append(indexes, communityOfPeers<<16|uint32(n.index))
	}
	rd, err := s.distinguisher(r.VNI)
	if err != nil {
		return err
	}
	path, err := s.path(r, rd.index)
	if err != nil {
		return fmt.Errorf("announce %s: %w", r.RouteKey, err)
	}
	path.Attrs = append(path.Attrs, s.target(r, indexes)...)
	if err := s.add(path); err != nil {
		return fmt.Errorf("announce %s with sequence %d: %w", r.RouteKey, r.Sequence, err)
	}
	s.sequences.announced(r, a == nil || a.dead)
	if a == nil {
		a = &announced{rd: rd}
		rd.routes++
		s.ours[r.RouteKey] = a
	}
	if a.dead {
		a.dead = false
		s.dead--
	}
	a.route = r
	s.name(a, peers)
	return nil
}

// name says which peers a route names now.
func (s *GoBGP) name(a *announced, peers []string) {
	for _, p := range peers {
		s.names.index[p].routes++
		s.counts.send(p, 1)
		if i, found := slices.BinarySearch(a.saw, p); !found {
			a.saw = slices.Insert(a.saw, i, p)
		}
	}
	for _, p := range a.peers {
		s.names.index[p].routes--
		s.counts.send(p, -1)
		s.names.release(p)
	}
	a.peers = peers
}

// Withdraw implements Speaker.
func (s *GoBGP) Withdraw(_ context.Context, key RouteKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.ours[key]
	if a == nil || a.dead {
		return nil
	}
	// GoBGP tells all peers of a route that is deleted, also those that never had it, and
	// so would say which MAC addresses there are. So it is first announced to none, which
	// withdraws it from those that had it.
	path, err := s.path(a.route, a.rd.index)
	if err != nil {
		return fmt.Errorf("withdraw %s: %w", key, err)
	}
	if err := s.add(path); err != nil {
		return fmt.Errorf("withdraw %s: %w", key, err)
	}
	s.name(a, nil)
	s.sequences.withdrawn(key)
	a.dead = true
	s.dead++
	if s.dead > maxDead {
		s.log.Info("routes of ours that were withdrawn are deleted: peers that did not have them see that they were", "routes", s.dead)
		return s.bury(true)
	}
	return s.buryOne(key, a)
}

// bury deletes routes that were withdrawn, those of which no peer learns that way what
// it must not know. With all, the others too.
func (s *GoBGP) bury(all bool) error {
	if s.dead == 0 {
		return nil
	}
	var errs []error
	for key, a := range s.ours {
		if !a.dead {
			continue
		}
		if all {
			errs = append(errs, s.delete(key, a))
		} else {
			errs = append(errs, s.buryOne(key, a))
		}
	}
	return errors.Join(errs...)
}

func (s *GoBGP) buryOne(key RouteKey, a *announced) error {
	for _, n := range s.peers {
		if _, saw := slices.BinarySearch(a.saw, n.peer); !saw {
			return nil
		}
	}
	return s.delete(key, a)
}

func (s *GoBGP) delete(key RouteKey, a *announced) error {
	path, err := s.path(a.route, a.rd.index)
	if err == nil {
		err = s.server.DeletePath(apiutil.DeletePathRequest{Paths: []*apiutil.Path{path}})
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	s.dead--
	delete(s.ours, key)
	if a.rd.routes--; a.rd.routes == 0 {
		delete(s.rds, key.VNI)
	}
	return nil
}

func (s *GoBGP) add(p *apiutil.Path) error {
	_, err := s.server.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{p}})
	return err
}

func (k RouteKey) String() string {
	if k.Kind == Multicast {
		return fmt.Sprintf("network %d", k.VNI)
	}
	if !k.Address.IsValid() {
		return fmt.Sprintf("%s on network %d", k.MAC, k.VNI)
	}
	return fmt.Sprintf("%s with %s on network %d", k.MAC, k.Address, k.VNI)
}

func (r Route) check() error {
	switch {
	case r.Kind != MACIP && r.Kind != Multicast:
		return fmt.Errorf("announce %s: no route of type %d is announced", r.RouteKey, r.Kind)
	case r.VNI == 0 || r.VNI > maxVNI:
		return fmt.Errorf("announce %s: a VNI is from 1 to %d", r.RouteKey, maxVNI)
	case r.Kind == MACIP && !unicastMAC(r.MAC):
		return fmt.Errorf("announce %s: it is no unicast address", r.RouteKey)
	case r.Kind == MACIP && r.MTU != 0:
		return fmt.Errorf("announce %s: type 2 has no MTU", r.RouteKey)
	case r.Kind == Multicast && (r.MAC != MAC{} || r.Address.IsValid()):
		return fmt.Errorf("announce %s: type 3 has no MAC address and no address", r.RouteKey)
	}
	return nil
}

// path is a route with what a peer needs to hear that it is gone.
func (s *GoBGP) path(r Route, index uint16) (*apiutil.Path, error) {
	rd, err := bgp.NewRouteDistinguisherIPAddressAS(s.config.RouterID, index)
	if err != nil {
		return nil, err
	}
	var nlri bgp.NLRI
	if r.Kind == Multicast {
		nlri, err = bgp.NewEVPNMulticastEthernetTagRoute(rd, 0, s.config.Address)
	} else {
		nlri, err = bgp.NewEVPNMacIPAdvertisementRoute(rd, bgp.EthernetSegmentIdentifier{}, 0, r.MAC.String(), r.Address, []uint32{r.VNI})
	}
	if err != nil {
		return nil, err
	}
	reach, err := bgp.NewPathAttributeMpReachNLRI(bgp.RF_EVPN, []bgp.PathNLRI{{NLRI: nlri}}, s.config.Address)
	if err != nil {
		return nil, err
	}
	const igp = 0
	return &apiutil.Path{Family: bgp.RF_EVPN, Nlri: nlri, Attrs: []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(igp), reach}}, nil
}

// target is what makes peers follow it.
func (s *GoBGP) target(r Route, communities []uint32) []bgp.PathAttributeInterface {
	extended := []bgp.ExtendedCommunityInterface{
		bgp.NewTwoOctetAsSpecificExtended(bgp.EC_SUBTYPE_ROUTE_TARGET, uint16(s.config.ASN), r.VNI, true),
		bgp.NewEncapExtended(bgp.TUNNEL_TYPE_VXLAN),
	}
	if r.Sequence > 0 {
		extended = append(extended, bgp.NewMacMobilityExtended(r.Sequence, false))
	}
	if r.MTU > 0 {
		extended = append(extended, &bgp.Layer2AttributesExtended{Mtu: r.MTU})
	}
	attrs := []bgp.PathAttributeInterface{bgp.NewPathAttributeExtendedCommunities(extended)}
	if len(communities) > 0 {
		attrs = append(attrs, bgp.NewPathAttributeCommunities(communities))
	}
	if r.Kind == Multicast {
		attrs = append(attrs, bgp.NewPathAttributePmsiTunnel(bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL, false, r.VNI, &bgp.IngressReplTunnelID{Value: s.config.Address}))
	}
	return attrs
}
