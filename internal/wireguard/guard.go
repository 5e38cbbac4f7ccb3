package wireguard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// TableName is the nftables table's, of family inet, that keeps peers to what edges say to
// each other: what else the node listens to is not theirs, nor is what it forwards to, and
// pods do not send into tunnels. A firewall before the node sees WireGuard's packets alone.
//
//	input     iifname != {l2sm-wg, br-edge-wg}               accept
//	          ip6 daddr != this edge's within the tunnel     drop
//	          icmpv6 type {1-4, 128-129, 136}                accept
//	          udp dport 4789                                 accept
//	          tcp dport 179                                  accept
//	          tcp sport 179 tcp flags & (syn | ack) != syn   accept
//	                                                         drop
//	forward   iifname or oifname {l2sm-wg, br-edge-wg}       drop
const TableName = "l2sm-wireguard"

// vxlanPort is VXLAN's (RFC 7348, section 5).
const vxlanPort = 4789

// guarded are the links that lead to peers.
var guarded = []string{Link, Bridge}

// guard replaces the table in one transaction: at no moment is there none.
func guard(own netip.Addr, bgp uint16) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	c.DelTable(c.AddTable(table())) // deleting fails where there is none
	t := c.AddTable(table())
	// Before every other chain, as no verdict of another program's is to come first.
	first := nftables.ChainPriority(-400)
	input := c.AddChain(&nftables.Chain{Name: "input", Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: &first})
	for _, exprs := range inputs(own, bgp) {
		c.AddRule(&nftables.Rule{Table: t, Chain: input, Exprs: exprs})
	}
	forward := c.AddChain(&nftables.Chain{Name: "forward", Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: &first})
	for _, key := range []expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME} {
		for _, name := range guarded {
			c.AddRule(&nftables.Rule{Table: t, Chain: forward, Exprs: append(is(key, expr.CmpOpEq, name), drop()...)})
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("write nftables table %s: %w: without it peers would reach all that this node listens to, so its kernel must have nf_tables", TableName, err)
	}
	return nil
}

func inputs(own netip.Addr, bgp uint16) [][]expr.Any {
	var others []expr.Any
	for _, name := range guarded {
		others = append(others, is(expr.MetaKeyIIFNAME, expr.CmpOpNeq, name)...)
	}
	rules := [][]expr.Any{
		append(others, accept()),
		append([]expr.Any{
			&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{unix.NFPROTO_IPV6}},
		}, drop()...),
		append([]expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: own.AsSlice()},
		}, drop()...),
	}
	// Errors, echoes, and what answers our own solicitations: that of a TAP device, which
	// passes no others.
	for _, types := range [][2]ipv6.ICMPType{
		{ipv6.ICMPTypeDestinationUnreachable, ipv6.ICMPTypeParameterProblem},
		{ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply},
		{ipv6.ICMPTypeNeighborAdvertisement, ipv6.ICMPTypeNeighborAdvertisement},
	} {
		rules = append(rules, slices.Concat(protocol(unix.IPPROTO_ICMPV6), []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
			&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{byte(types[0])}, ToData: []byte{byte(types[1])}},
			accept(),
		}))
	}
	const source, destination = 0, 2
	return append(rules,
		slices.Concat(protocol(unix.IPPROTO_UDP), at(destination, vxlanPort), []expr.Any{accept()}),
		slices.Concat(protocol(unix.IPPROTO_TCP), at(destination, bgp), []expr.Any{accept()}),
		// What answers our own sessions. It opens none, whatever port it comes from.
		slices.Concat(protocol(unix.IPPROTO_TCP), at(source, bgp), answers(), []expr.Any{accept()}),
		drop())
}

// unguard takes the table away. Who may not look for it can't have made it, and without the
// links it says nothing.
func unguard() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) {
		return nil // no NET_ADMIN, or a kernel without nf_tables
	}
	if err != nil {
		return fmt.Errorf("list nftables tables: %w", err)
	}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == TableName }) {
		return nil
	}
	c.DelTable(table())
	if err := c.Flush(); err != nil {
		return fmt.Errorf("delete nftables table %s: %w", TableName, err)
	}
	return nil
}

func table() *nftables.Table {
	return &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
}

func accept() expr.Any { return &expr.Verdict{Kind: expr.VerdictAccept} }

func drop() []expr.Any {
	return []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}}
}

// is matches an interface's name, as the kernel compares it.
func is(key expr.MetaKey, op expr.CmpOp, name string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: op, Register: 1, Data: append([]byte(name), make([]byte, unix.IFNAMSIZ-len(name))...)},
	}
}

func protocol(number byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}},
	}
}

// at matches a port, source or destination.
func at(offset uint32, number uint16) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, number)},
	}
}

// answers matches TCP that opens no connection (RFC 9293, section 3.1).
func answers() []expr.Any {
	const flags, syn, ack = 13, 1 << 1, 1 << 4
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: flags, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{syn | ack}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{syn}},
	}
}
