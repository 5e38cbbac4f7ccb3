package v1alpha1

// TunnelOverhead is what Geneve adds to a pod's frame, in bytes, over IPv4:
// outer Ethernet is not counted by an MTU, so 20 (IPv4) + 8 (UDP) + 8 (Geneve,
// RFC 8926 section 3.4) + 8 (OVN's option) + 14 (inner Ethernet).
const TunnelOverhead = 58

// MaxMTU is the largest MTU, in bytes, that pods may have on an underlay of
// the given MTU.
func MaxMTU(underlay int32) int32 { return underlay - TunnelOverhead }

// EffectiveMTU is the MTU of the network's interfaces, in bytes, on an
// underlay of the given MTU.
func (n *L2Network) EffectiveMTU(underlay int32) int32 {
	if n.Spec.MTU != nil {
		return *n.Spec.MTU
	}
	return MaxMTU(underlay)
}
