package controllers

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/runtime"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
	"l2sm.io/l2sm/internal/ipam"
)

// keptRemote is what the cache keeps of an L2Remote: what is announced, in binary.
// Texts are several times as long, and there may be tens of thousands.
type keptRemote struct {
	keptMeta
	network, peer string
	macs          []ipam.MAC // of hosts, the zero one for a text that can't be read
	counts        []uint8    // how many addresses each has
	addresses     []netip.Addr
}

// maxHostAddresses is what a host may have (RemoteHost.Addresses).
const maxHostAddresses = 8

// keepRemote is the transform of the L2Remotes' informer.
func keepRemote(object any) (any, error) {
	r, ok := object.(*v1alpha1.L2Remote)
	if !ok {
		return object, nil // kept already, or a tombstone of the informer
	}
	kept := &keptRemote{keptMeta: metaOf(&r.ObjectMeta), network: r.Network, peer: one(r.Peer)}
	if len(r.Hosts) == 0 {
		return kept, nil
	}
	total := 0
	for _, host := range r.Hosts {
		total += min(maxHostAddresses, len(host.Addresses))
	}
	kept.macs, kept.counts = make([]ipam.MAC, len(r.Hosts)), make([]uint8, len(r.Hosts))
	kept.addresses = make([]netip.Addr, 0, total)
	for i, host := range r.Hosts {
		kept.macs[i], _ = ipam.ParseMAC(host.MACAddress) // none: its reader counts it
		for _, text := range host.Addresses[:min(maxHostAddresses, len(host.Addresses))] {
			addr, _ := netip.ParseAddr(text) // as above
			kept.addresses = append(kept.addresses, addr)
			kept.counts[i]++
		}
	}
	return kept, nil
}

// Expand implements compact.Object.
func (k *keptRemote) Expand() runtime.Object {
	r := &v1alpha1.L2Remote{ObjectMeta: k.expanded(), Network: k.network, Peer: k.peer}
	left := k.addresses
	for i, mac := range k.macs {
		host := v1alpha1.RemoteHost{MACAddress: mac.String()}
		for _, addr := range left[:k.counts[i]] {
			host.Addresses = append(host.Addresses, addr.String())
		}
		left = left[k.counts[i]:]
		r.Hosts = append(r.Hosts, host)
	}
	return r
}

var _ compact.Object = &keptRemote{}
