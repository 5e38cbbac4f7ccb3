package evpn

import (
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Drop is why a received route is nothing that a Table could decide on.
type Drop string

// Peers are hostile: what is not as we announce it ourselves, or as FRR and switches do,
// is dropped.
const (
	// DropType is for neither type 2 nor type 3.
	DropType Drop = "Type"
	// DropMAC is for no unicast MAC address of 48 bits.
	DropMAC Drop = "MAC"
	// DropAddress is for no unicast address.
	DropAddress Drop = "Address"
	// DropLabel is for label 0, or none.
	DropLabel Drop = "Label"
	// DropTarget is for no route target that is ASN:label, two-octet-AS specific.
	DropTarget Drop = "Target"
	// DropTunnel is for no VXLAN, or no ingress replication.
	DropTunnel Drop = "Tunnel"
	// DropNextHop is for no next hop, or none that is a unicast address.
	DropNextHop Drop = "NextHop"
	// DropSize is for more attributes than a route needs. Its session is closed for a minute.
	DropSize Drop = "Size"
)

// identify says which route an NLRI names, and its label; a multicast route's is
// elsewhere.
func identify(nlri bgp.NLRI) (id ID, label uint32, why Drop) {
	evpn, ok := nlri.(*bgp.EVPNNLRI)
	if !ok {
		return ID{}, 0, DropType
	}
	var rd bgp.RouteDistinguisherInterface
	switch r := evpn.RouteTypeData.(type) {
	case *bgp.EVPNMacIPAdvertisementRoute:
		id = ID{Kind: MACIP, Tag: r.ETag, Address: r.IPAddress}
		if r.MacAddressLength != 48 || copy(id.MAC[:], r.MacAddress) != len(id.MAC) || !unicastMAC(id.MAC) {
			return ID{}, 0, DropMAC
		}
		if r.IPAddressLength != 0 && !unicast(r.IPAddress) {
			return ID{}, 0, DropAddress
		}
		if len(r.Labels) > 0 {
			label = r.Labels[0]
		}
		rd = r.RD
	case *bgp.EVPNMulticastEthernetTagRoute:
		id = ID{Kind: Multicast, Tag: r.ETag, Address: r.IPAddress}
		if !hop(r.IPAddress) {
			return ID{}, 0, DropAddress
		}
		rd = r.RD
	default:
		return ID{}, 0, DropType
	}
	if rd == nil {
		return ID{}, 0, DropType
	}
	b, err := rd.Serialize()
	if err != nil || copy(id.RD[:], b) != len(id.RD) {
		return ID{}, 0, DropType
	}
	return id, label, ""
}

// attributes are what of a route's attributes counts.
type attributes struct {
	nextHop    netip.Addr
	sequence   uint32
	targets    []uint32
	tunnel     bgp.TunnelType
	replicated bool
	// label of a multicast route.
	label uint32
	mtu   uint16
}

func attributesOf(attrs []bgp.PathAttributeInterface, asn uint32) attributes {
	is := attributes{tunnel: bgp.TUNNEL_TYPE_VXLAN}
	for _, a := range attrs {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			is.nextHop = a.Nexthop.Unmap()
		case *bgp.PathAttributePmsiTunnel:
			is.replicated = a.TunnelType == bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL
			is.label = a.Label
		case *bgp.PathAttributeExtendedCommunities:
			is.extended(a.Value, asn)
		}
	}
	return is
}

func (is *attributes) extended(communities []bgp.ExtendedCommunityInterface, asn uint32) {
	for _, c := range communities {
		switch c := c.(type) {
		case *bgp.TwoOctetAsSpecificExtended:
			if c.SubType == bgp.EC_SUBTYPE_ROUTE_TARGET && c.IsTransitive && uint32(c.AS) == asn {
				is.targets = append(is.targets, c.LocalAdmin)
			}
		case *bgp.EncapExtended:
			is.tunnel = c.TunnelType
		case *bgp.MacMobilityExtended:
			is.sequence = c.Sequence
		case *bgp.Layer2AttributesExtended:
			is.mtu = c.Mtu
		}
	}
}

// learn makes a route of its ID, its label and its attributes.
func learn(id ID, label uint32, attrs []bgp.PathAttributeInterface, asn uint32) (Learned, Drop) {
	is := attributesOf(attrs, asn)
	if id.Kind == Multicast {
		label = is.label
	}
	switch {
	case is.tunnel != bgp.TUNNEL_TYPE_VXLAN || id.Kind == Multicast && !is.replicated:
		return Learned{}, DropTunnel
	case label == 0 || label > maxVNI:
		return Learned{}, DropLabel
	case !hop(is.nextHop):
		return Learned{}, DropNextHop
	case !slices.Contains(is.targets, label):
		// A route of a fabric may have more than one target, its routed network's among
		// them: the label says which one frames come with.
		return Learned{}, DropTarget
	}
	learned := Learned{ID: id, VNI: label, VTEP: is.nextHop, Sequence: is.sequence}
	if id.Kind == Multicast {
		learned.MTU = is.mtu
	}
	return learned, ""
}

func unicastMAC(m MAC) bool { return m != MAC{} && m[0]&1 == 0 }

func unicast(a netip.Addr) bool { return hop(a) && !a.IsLoopback() }

// hop says whether an address may be a VTEP. It may be a loopback's: between two that
// are on one machine.
func hop(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6() && a.Zone() == "" && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
