package link

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A pod that is no router must not send Router Advertisements. OVN can't see to
// that: northd has every ACL stage pass neighbour discovery messages before it
// reads ours. So the first netfilter hook does that a pod's frames meet and that
// is before OVS: on kernel datapaths the host end's, out of the pod's reach; on
// userspace ones, where OVS reads the host end before any hook, the pod's own
// interface's, which a pod with NET_ADMIN can remove.

// EtherTypes and the type of Router Advertisements (RFC 4861 section 4.2).
const (
	etherIPv6           = 0x86dd
	routerAdvertisement = 134
)

// Where a frame has what, in bytes, with so many VLAN tags.
const (
	atEtherType  = 12
	tagLength    = 4
	atNextHeader = 6  // behind the EtherType's two bytes
	atPayload    = 40 // likewise
)

// SetRoutes lets the pod send Router Advertisements, or drops them. What does not
// exist gives an error that matches os.ErrNotExist.
func (l *Links) SetRoutes(host, netns, name string, datapath Datapath, routes bool) error {
	if datapath == Kernel {
		if _, err := byName(host); err != nil {
			return err
		}
		return setRoutes(host, nftables.ChainHookIngress, routes)
	}
	return inNamespace(netns, func() error {
		if _, err := byName(name); err != nil {
			return err
		}
		return setRoutes(name, nftables.ChainHookEgress, routes)
	})
}

// setRoutes runs in the device's network namespace. Its chain has the device's
// name, and goes with it.
func setRoutes(device string, hook *nftables.ChainHook, routes bool) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	accept, priority := nftables.ChainPolicyAccept, firstPriority
	chain := &nftables.Chain{
		Name: device, Table: table, Device: device,
		Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &priority, Policy: &accept,
	}
	c.AddTable(table)
	c.AddChain(chain)
	c.FlushChain(chain)
	if !routes {
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: untaggedRA()})
		for tags := 1; tags <= 2; tags++ {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: taggedRA(uint32(tags))})
		}
	}
	if err := c.Flush(); err != nil && !isMissing(err) {
		return fmt.Errorf("drop Router Advertisements of %q: %w", device, err)
	}
	return nil
}

// untaggedRA drops advertisements wherever extension headers put them.
func untaggedRA() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1}, is(byte(etherIPv6>>8), byte(etherIPv6&0xff)),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, is(unix.IPPROTO_ICMPV6),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Len: 1}, is(routerAdvertisement),
		&expr.Verdict{Kind: expr.VerdictDrop},
	}
}

// taggedRA drops advertisements behind so many VLAN tags: Linux takes those of
// VLAN 0 for none.
func taggedRA(tags uint32) []expr.Any {
	at := atEtherType + tagLength*tags
	load := func(offset, length uint32) expr.Any {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseLLHeader, Offset: offset, Len: length}
	}
	return []expr.Any{
		load(at, 2), is(byte(etherIPv6>>8), byte(etherIPv6&0xff)),
		load(at+2+atNextHeader, 1), is(unix.IPPROTO_ICMPV6),
		load(at+2+atPayload, 1), is(routerAdvertisement),
		&expr.Verdict{Kind: expr.VerdictDrop},
	}
}

func is(value ...byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value}
}
