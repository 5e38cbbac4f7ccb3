package evpn

import (
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Drop is why a received route is nothing that a Table could decide on.
type Drop string

// Peers are hostile: what is not as we announce it ourselves, or as FRR and switches do,
// is dropped.
const (
	// DropType: neither type 2 nor type 3.
	DropType Drop = "Type"
	// DropMAC: no unicast MAC address of 48 bits.
	DropMAC Drop = "MAC"
	// DropAddress: no unicast address.
	DropAddress Drop = "Address"
	// DropLabel: label 0, or none.
	DropLabel Drop = "Label"
	// DropTarget: none of its route targets is ASN:label, two-octet-AS specific.
	DropTarget Drop = "Target"
	// DropTunnel: not VXLAN, or not ingress replication.
	DropTunnel Drop = "Tunnel"
	// DropNextHop: none, or no unicast address.
	DropNextHop Drop = "NextHop"
	// DropSize: more attributes than a route needs. Its session is closed for a minute.
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

// learn reads the attributes of a route.
func learn(id ID, label uint32, attrs []bgp.PathAttributeInterface, asn uint32) (Learned, Drop) {
	l := Learned{ID: id}
	var targets []uint32
	tunnel := bgp.TUNNEL_TYPE_VXLAN
	replicated := false
	for _, a := range attrs {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			l.VTEP = a.Nexthop.Unmap()
		case *bgp.PathAttributeNextHop:
			l.VTEP = a.Value.Unmap()
		case *bgp.PathAttributePmsiTunnel:
			replicated = a.TunnelType == bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL
			if id.Kind == Multicast {
				label = a.Label
			}
		case *bgp.PathAttributeExtendedCommunities:
			for _, c := range a.Value {
				switch c := c.(type) {
				case *bgp.TwoOctetAsSpecificExtended:
					if c.SubType == bgp.EC_SUBTYPE_ROUTE_TARGET && c.IsTransitive && uint32(c.AS) == asn {
						targets = append(targets, c.LocalAdmin)
					}
				case *bgp.EncapExtended:
					tunnel = c.TunnelType
				case *bgp.MacMobilityExtended:
					l.Sequence = c.Sequence
				}
			}
		}
	}
	switch {
	case tunnel != bgp.TUNNEL_TYPE_VXLAN || id.Kind == Multicast && !replicated:
		return Learned{}, DropTunnel
	case label == 0 || label > maxVNI:
		return Learned{}, DropLabel
	case !hop(l.VTEP):
		return Learned{}, DropNextHop
	}
	// A route of a fabric may have more than one target, its routed network's among
	// them: the label says which one frames come with.
	for _, t := range targets {
		if t == label {
			l.VNI = label
			return l, ""
		}
	}
	return Learned{}, DropTarget
}

func unicastMAC(m MAC) bool { return m != MAC{} && m[0]&1 == 0 }

func unicast(a netip.Addr) bool { return hop(a) && !a.IsLoopback() }

// hop says whether an address may be a VTEP. It may be a loopback's: between two that
// are on one machine.
func hop(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6() && a.Zone() == "" && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
