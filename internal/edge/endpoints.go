package edge

import (
	"fmt"
	"net/netip"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/wireguard"
)

// reach is how this edge gets to others.
type reach struct {
	// own is where others reach this edge, invalid while that is not known.
	own netip.Addr
	// encrypted says that all goes through WireGuard: BGP and tunnels have the addresses
	// inside it.
	encrypted bool
}

// reachOf reads the L2Edge, which may be nil.
func reachOf(edge *v1alpha1.L2Edge, node string) reach {
	var r reach
	if edge == nil {
		return r
	}
	r.encrypted = edge.Spec.Encryption == v1alpha1.EncryptionWireGuard
	for _, n := range edge.Status.Nodes {
		if n.Name == node {
			r.own, _ = netip.ParseAddr(n.Address) // the controller says why there is none
		}
	}
	return r
}

// reach is this edge's.
func (e *Edge) reach() reach { return reachOf(e.cache.L2Edge(), e.config.Node) }

// to is the address of BGP and of tunnels to the edge that others reach at the address.
func (r reach) to(edge netip.Addr) netip.Addr {
	if !r.encrypted || !edge.IsValid() {
		return edge
	}
	return wireguard.Inside(edge)
}

// endpoint is one of a peer's.
type endpoint struct {
	// name is the address as the L2Peer has it, outside the same.
	name    string
	outside netip.Addr
	// at is where BGP and tunnels go.
	at   netip.Addr
	keys []wireguard.Key
	// why there can be no session, empty where there can.
	why string
}

// endpoints are a peer's. What the API admits can be parsed, but for keys.
func (r reach) endpoints(p *v1alpha1.L2Peer) []endpoint {
	var all []endpoint
	for _, named := range p.Spec.Endpoints {
		outside, err := netip.ParseAddr(named.Address)
		if err != nil {
			continue
		}
		outside = outside.Unmap()
		one := endpoint{name: named.Address, outside: outside, at: r.to(outside), why: unreachable(r.own, outside)}
		if one.why == "" && p.Spec.Type == v1alpha1.PeerFabric && len(vteps(p, r.own)) == 0 {
			one.why = fmt.Sprintf("none of spec.vteps is of the family of %s, where this edge is: there is no tunnel to any", r.own)
		}
		if r.encrypted && one.why == "" {
			one.keys, one.why = keysOf(p, named)
		}
		all = append(all, one)
	}
	return all
}

// keysOf are an endpoint's, or why it has none.
func keysOf(p *v1alpha1.L2Peer, named v1alpha1.PeerEndpoint) (keys []wireguard.Key, why string) {
	switch {
	case p.Spec.Type == v1alpha1.PeerFabric:
		return nil, "this edge encrypts all (L2Edge, encryption: WireGuard), which fabrics do not speak"
	case len(named.PublicKeys) == 0:
		return nil, "this edge encrypts all (L2Edge, encryption: WireGuard): write into publicKeys what the endpoint's own L2Edge has in status.nodes"
	}
	for _, text := range named.PublicKeys {
		key, err := wireguard.ParseKey(text)
		if err != nil {
			return nil, fmt.Sprintf("publicKeys: %v", err)
		}
		keys = append(keys, key)
	}
	return keys, ""
}

// unreachable says why there is no tunnel to an endpoint: one mistake of an administrator's
// must not keep the other peers from their networks.
func unreachable(own, endpoint netip.Addr) string {
	switch {
	case !own.IsValid():
		return ""
	case own == endpoint:
		return "it is this edge's own address"
	case own.Is4() != endpoint.Is4():
		return fmt.Sprintf("there is no tunnel from %s to it: one is an IPv4 address, the other IPv6; name another of the endpoint's addresses, or have this edge be at another (annotation %s of its Node)",
			own, v1alpha1.EdgeAddressAnnotation)
	default:
		return ""
	}
}

// vteps are the ranges that a fabric's tunnels start from: a tunnel has both ends of one
// family. What the API admits can be parsed.
func vteps(p *v1alpha1.L2Peer, own netip.Addr) []netip.Prefix {
	var ranges []netip.Prefix
	for _, text := range p.Spec.VTEPs {
		if prefix, err := netip.ParsePrefix(text); err == nil && (!own.IsValid() || prefix.Addr().Is4() == own.Is4()) {
			ranges = append(ranges, prefix)
		}
	}
	return ranges
}
