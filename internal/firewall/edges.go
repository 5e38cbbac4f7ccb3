package firewall

import (
	"encoding/binary"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// encrypted are the interfaces by which packets come in that a peer's edge has encrypted:
// the device of the kernel's WireGuard or wireguard-go, and the bridge where Open vSwitch
// is in user space.
var encrypted = []string{"l2sm-wg", "br-edge-wg"}

// bgpPort is that of edges' sessions.
const bgpPort = 179

// onlyEdges keeps a peer's cluster from reaching more of the node than its edge, and the
// cluster's pods from being taken for the edge by a peer: firewalls between the clusters
// see nothing of what is encrypted. Edges send VXLAN, BGP, and what IPv6 needs.
//
//	forward   iifname or oifname {l2sm-wg, br-edge-wg}  drop
//	input     iifname {l2sm-wg, br-edge-wg}             drop, but for: ICMPv6, UDP to 4789,
//	                                                    TCP to 179 and of connections there are
func onlyEdges(c *nftables.Conn, t *nftables.Table, forward, input *nftables.Chain) {
	for _, name := range encrypted {
		for _, key := range []expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME} {
			c.AddRule(&nftables.Rule{Table: t, Chain: forward, Exprs: ending(expr.VerdictDrop, by(key, name))})
		}
		from := by(expr.MetaKeyIIFNAME, name)
		for _, taken := range [][]expr.Any{
			protocol(unix.IPPROTO_ICMPV6),
			append(protocol(unix.IPPROTO_UDP), to(VXLANPort)...),
			append(protocol(unix.IPPROTO_TCP), to(bgpPort)...),
			append(protocol(unix.IPPROTO_TCP), goesOn()...),
		} {
			c.AddRule(&nftables.Rule{Table: t, Chain: input, Exprs: ending(expr.VerdictAccept, from, taken)})
		}
		c.AddRule(&nftables.Rule{Table: t, Chain: input, Exprs: ending(expr.VerdictDrop, from)})
	}
}

// by matches packets whose interface, of that direction, has the name.
func by(direction expr.MetaKey, name string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: direction, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded(name)},
	}
}

func protocol(number byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}},
	}
}

// to matches the destination port of UDP and TCP.
func to(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
	}
}

// goesOn matches TCP but for what asks for a connection: of SYN and ACK, SYN alone.
func goesOn() []expr.Any {
	const flags, syn, ack = 13, 0x02, 0x10
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: flags, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{syn | ack}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{syn}},
	}
}

// ending counts what all of the matches match, and has the verdict of it.
func ending(kind expr.VerdictKind, matches ...[]expr.Any) []expr.Any {
	return append(slices.Concat(matches...), &expr.Counter{}, &expr.Verdict{Kind: kind})
}
