package v1alpha1

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// What Geneve adds to a pod's frame, in bytes. Outer Ethernet is not counted by
// an MTU, so it is the outer IP header, 8 (UDP), 8 (Geneve, RFC 8926 section
// 3.4), 8 (OVN's option) and 14 (inner Ethernet).
const (
	tunnelOverheadIPv4 = 20 + 38
	tunnelOverheadIPv6 = 40 + 38
)

// leastMTU is what IPv4 needs, in bytes (RFC 791, section 3.2).
const leastMTU = 68

// MaxMTU is the largest MTU, in bytes, that pods may have on an underlay of the
// given MTU, where tunnels use the nodes' addresses of that family. It fails
// where that is none, or too little for IPv4.
func MaxMTU(underlay int32, family corev1.IPFamily) (int32, error) {
	most := underlay
	switch family {
	case corev1.IPv4Protocol:
		most -= tunnelOverheadIPv4
	case corev1.IPv6Protocol:
		most -= tunnelOverheadIPv6
	default:
		return 0, fmt.Errorf("--underlay-family=%s: want IPv4 or IPv6", family)
	}
	if most < leastMTU {
		return 0, fmt.Errorf("--underlay-mtu=%d leaves pods %d bytes; IPv4 needs %d (RFC 791)", underlay, most, leastMTU)
	}
	return most, nil
}

// EffectiveMTU is the MTU of the network's interfaces, in bytes, where pods may
// have the given one at most.
func (n *L2Network) EffectiveMTU(most int32) int32 {
	if n.Spec.MTU != nil {
		return *n.Spec.MTU
	}
	return most
}
