package admission

import (
	"fmt"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/excerpt"
	"l2sm.io/l2sm/internal/ipam"
)

// LeaseNetwork is the network on which a complete attachment has its addresses:
// the one that its port is on or will be on.
func LeaseNetwork(a *v1alpha1.L2Attachment) types.NamespacedName {
	if network, has := a.PortNetwork(); has && a.Bound() {
		return network
	}
	return a.NetworkKey()
}

// leaseOf reads the lease that a complete attachment records.
func leaseOf(a *v1alpha1.L2Attachment) (ipam.Lease, error) {
	mac, err := ipam.ParseMAC(a.Spec.MACAddress)
	if err != nil {
		return ipam.Lease{}, err
	}
	lease := ipam.Lease{MAC: mac}
	for _, text := range a.Spec.Addresses {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return ipam.Lease{}, fmt.Errorf("parse address %s: %w", excerpt.Quote(text), err)
		}
		lease.Addresses = append(lease.Addresses, p)
	}
	return lease, nil
}

// Record writes a lease into an attachment, which completes it. What its user
// wrote stays as it was written.
func Record(a *v1alpha1.L2Attachment, lease ipam.Lease) {
	if a.Spec.MACAddress == "" {
		a.Spec.MACAddress = lease.MAC.String()
	}
	if len(a.Spec.Addresses) > 0 {
		return
	}
	a.Spec.Addresses = nil
	for _, address := range lease.Addresses {
		a.Spec.Addresses = append(a.Spec.Addresses, address.String())
	}
}

// RequestOf is what an attachment asks for that a pod's annotation entry asks
// for.
func RequestOf(request attach.Request) (ipam.Request, error) {
	asked := ipam.Request{}
	if request.MAC != "" {
		mac, err := ipam.ParseMAC(request.MAC)
		if err != nil {
			return ipam.Request{}, Refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
		}
		asked.MAC = mac
	}
	for _, ip := range request.IPs {
		if !ip.HasPrefix {
			ip.Prefix = netip.PrefixFrom(ip.Addr(), -1)
		}
		asked.Addresses = append(asked.Addresses, ip.Prefix)
	}
	return asked, nil
}

func same(a, b ipam.Lease) bool { return a.MAC == b.MAC && slices.Equal(a.Addresses, b.Addresses) }
