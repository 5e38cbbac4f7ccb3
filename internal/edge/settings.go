package edge

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/wireguard"
)

// settings are what the API says of this edge and its peers.
type settings struct {
	// edge says that the L2Edge names this node, address where its BGP and tunnels are;
	// invalid while that is not known.
	edge    bool
	address netip.Addr
	asn     uint32
	reach   reach
	// others are the addresses of the cluster's other edges.
	others   []netip.Addr
	peers    []evpn.Peer
	policies []evpn.PeerPolicy
	// What follows is WireGuard's: whom there is a key of, the generation of this edge's own
	// and what others were told of them, and the MTU of the way, in bytes.
	wire       []wireguard.Peer
	own        ownKeys
	generation int32
	published  []string
	mtu        int
	// clashes say why there is no key of an endpoint, by its address outside.
	clashes map[netip.Addr]string
}

// settingsOf reads the API.
func (e *Edge) settingsOf() settings {
	var s settings
	edge := e.cache.L2Edge()
	if edge == nil {
		return s
	}
	s.asn, s.reach = uint32(edge.Spec.ASN), reachOf(edge, e.config.Node)
	s.address = s.reach.to(s.reach.own)
	if s.reach.encrypted {
		s.generation, s.mtu = edge.Spec.KeyGeneration, int(edge.Spec.MTU)
	}
	for _, n := range edge.Status.Nodes {
		if n.Name == e.config.Node {
			s.edge, s.published = true, n.PublicKeys
			continue
		}
		if address, err := netip.ParseAddr(n.Address); err == nil && address != s.reach.own { // else the controller says why
			s.others = append(s.others, s.reach.to(address))
			s.wires(address, n.PublicKeys)
		}
	}
	all := e.cache.L2Peers()
	slices.SortFunc(all, func(a, b *v1alpha1.L2Peer) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range all {
		endpoints := s.reach.endpoints(p)
		peer, policy := e.peerOf(p, s.reach.own, endpoints)
		s.peers, s.policies = append(s.peers, peer), append(s.policies, policy)
		for _, at := range endpoints {
			if at.why == "" && s.reach.encrypted {
				s.wire = append(s.wire, wireguard.Peer{Endpoint: at.outside, Keys: at.keys})
			}
		}
	}
	s.own, _ = ownKeysIn(e.cache.Secret(v1alpha1.WireGuardSecret(e.config.Node)), s.generation) // else they are made
	s.unique()
	slices.SortFunc(s.others, netip.Addr.Compare)
	s.divide()
	return s
}

// wires has WireGuard speak with another edge of this cluster, once its keys are known.
func (s *settings) wires(address netip.Addr, publicKeys []string) {
	var keys []wireguard.Key
	for _, text := range publicKeys {
		if key, err := wireguard.ParseKey(text); err == nil { // that edge writes it again
			keys = append(keys, key)
		}
	}
	if s.reach.encrypted && len(keys) > 0 {
		s.wire = append(s.wire, wireguard.Peer{Endpoint: address, Keys: keys})
	}
}

// unique leaves an endpoint, and a key, that stand at several places to the first of them:
// WireGuard has one address a key. This edge's own come first, then the cluster's, then
// peers'.
func (s *settings) unique() {
	endpoints, keys := map[netip.Addr]bool{}, map[wireguard.Key]netip.Addr{s.own.current.Public(): s.reach.own, s.own.next.Public(): s.reach.own}
	s.clashes = map[netip.Addr]string{}
	s.wire = slices.DeleteFunc(s.wire, func(p wireguard.Peer) bool {
		if endpoints[p.Endpoint] {
			return true
		}
		for _, k := range p.Keys {
			if of, taken := keys[k]; taken {
				s.clashes[p.Endpoint] = fmt.Sprintf("its public key %s is that of %s: write the endpoint's own, which its L2Edge has in status.nodes", k, of)
				return true
			}
		}
		endpoints[p.Endpoint] = true
		for _, k := range p.Keys {
			keys[k] = p.Endpoint
		}
		return false
	})
	for _, p := range s.wire[min(len(s.wire), wireguard.MaxPeers):] {
		s.clashes[p.Endpoint] = fmt.Sprintf("an edge has %d endpoints with encryption at most", wireguard.MaxPeers)
	}
	s.wire = s.wire[:min(len(s.wire), wireguard.MaxPeers)]
}

// divide leaves an endpoint that several peers name to the first of them, as the speaker
// does, which says so.
func (s *settings) divide() {
	taken := map[netip.Addr]bool{}
	for i := range s.policies {
		p := &s.policies[i]
		p.Endpoints = slices.DeleteFunc(slices.Clone(p.Endpoints), func(a netip.Addr) bool { return taken[a] })
		for _, a := range p.Endpoints {
			taken[a] = true
		}
	}
}

// peerOf is an L2Peer as speaker and table need it. What the API admits can be parsed.
func (e *Edge) peerOf(p *v1alpha1.L2Peer, own netip.Addr, endpoints []endpoint) (evpn.Peer, evpn.PeerPolicy) {
	peer := evpn.Peer{Name: p.Name, ASN: uint32(p.Spec.ASN), Fabric: p.Spec.Type == v1alpha1.PeerFabric}
	policy := evpn.PeerPolicy{Name: p.Name, Fabric: p.Spec.Type == v1alpha1.PeerFabric, MaxMACs: int(p.Spec.MaxMACs), VTEPs: vteps(p, own)}
	for _, one := range endpoints {
		if one.why == "" {
			peer.Endpoints = append(peer.Endpoints, one.at)
		}
	}
	var missing bool
	if peer.Password, missing = e.passwordOf(p); missing {
		peer.Endpoints = nil // no session rather than one that anybody may speak on
	}
	policy.Endpoints = peer.Endpoints
	return peer, policy
}

// passwordOf is the peer's, and whether one is asked for that is not there.
func (e *Edge) passwordOf(p *v1alpha1.L2Peer) (password string, missing bool) {
	if p.Spec.PasswordSecretRef == nil {
		return "", false
	}
	password = e.cache.Password(p.Spec.PasswordSecretRef.Name)
	return password, password == ""
}
