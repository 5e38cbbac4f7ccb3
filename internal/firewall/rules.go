// Package firewall keeps tunnel packets off a node that no node has sent. A Geneve
// packet is trusted by its outer source address, and any pod of the cluster can
// have its own node send one: what a pod sends to another node leaves with the
// node's address where the cluster masquerades. So every node drops UDP to the
// tunnels' port that it forwards, and what comes to itself by another interface
// than the tunnels'.
//
//	forward   udp dport {6081, 4789}                          drop
//	input     udp dport 6081 iifname != {lo, eth0}            drop
//	output    udp dport {6081, 4789} fib saddr type != local  drop
//
// 4789 is VXLAN's, by which edges speak to other clusters' edges: these trust the
// address that a packet leaves with, and that may be the edge's own. Every node
// drops it, as every one may route to an edge's peer. Other programs' VXLAN between
// nodes goes on, by whatever interface it comes in: nodes output it and take it
// in, and forward none. What pods send each other over the cluster's own network on
// these ports, as tunnels of a cluster inside the cluster, is forwarded and dropped.
//
// What the node encapsulates is output with an address of its own. What IPVS
// forwards is output, too (kube-proxy in that mode, a Service whose endpoint is a
// node's tunnel port), with the pod's address, before it is masqueraded. A spoofed source on the underlay itself is out of its reach.
package firewall

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// TableName is the table's, of family inet.
const TableName = "l2sm-underlay"

// GenevePort is what Geneve's tunnels use (RFC 8926, section 3.3), and OVN can't
// change.
const GenevePort = 6081

// VXLANPort is what edges use (RFC 7348, section 5), as all of EVPN does.
const VXLANPort = 4789

// Rules are what the table says.
type Rules struct {
	// Ports are the UDP ports of tunnels between nodes.
	Ports []uint16
	// Edges are those of tunnels to other clusters. What comes to the node itself is
	// let in.
	Edges []uint16
	// Tunnels are the interfaces by which other nodes' packets come in. Without
	// any, what comes to the node itself is let in.
	Tunnels []string
	// OwnOnly drops what is output from addresses that are not the node's. It can't
	// tell those of a VRF (networking/vrf of the kernel's documentation).
	OwnOnly bool
}

func (r Rules) all() []uint16 { return slices.Concat(r.Ports, r.Edges) }

// priority is before every other chain of a hook, also before those that skip
// connection tracking: no other program's verdict comes first.
const priority = nftables.ChainPriority(-400)

func table() *nftables.Table {
	return &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
}

// install replaces the table in one transaction: at no moment is there none.
func install(r Rules) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	c.DelTable(c.AddTable(table())) // deleting fails where there is none
	t := c.AddTable(table())
	forward := chain(c, t, "forward", nftables.ChainHookForward)
	for _, port := range r.all() {
		c.AddRule(&nftables.Rule{Table: t, Chain: forward, Exprs: drop(port)})
	}
	input := chain(c, t, "input", nftables.ChainHookInput)
	if len(r.Tunnels) > 0 {
		for _, port := range r.Ports {
			c.AddRule(&nftables.Rule{Table: t, Chain: input, Exprs: append(unless(append([]string{"lo"}, r.Tunnels...)), drop(port)...)})
		}
	}
	output := chain(c, t, "output", nftables.ChainHookOutput)
	if r.OwnOnly {
		for _, port := range r.all() {
			c.AddRule(&nftables.Rule{Table: t, Chain: output, Exprs: drop(port, foreign()...)})
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("write nftables table %s: %w", TableName, err)
	}
	return nil
}

func chain(c *nftables.Conn, t *nftables.Table, name string, hook *nftables.ChainHook) *nftables.Chain {
	first := priority
	return c.AddChain(&nftables.Chain{Name: name, Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &first})
}

// drop counts and drops UDP to the port, of either family, that more matches.
func drop(port uint16, more ...expr.Any) []expr.Any {
	udp := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_UDP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
	}
	return slices.Concat(udp, more, []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}})
}

// foreign matches packets from addresses that are not the node's.
func foreign() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: 1, FlagSADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}
}

// unless goes on with packets that come in by none of the interfaces.
func unless(interfaces []string) []expr.Any {
	all := []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}}
	for _, name := range interfaces {
		all = append(all, &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: padded(name)})
	}
	return all
}

// padded is an interface's name as the kernel compares it.
func padded(name string) []byte {
	return append([]byte(name), make([]byte, unix.IFNAMSIZ-len(name))...)
}

// state is what the kernel holds of the table, to be compared with itself.
type state struct {
	// flags are the table's: it may be dormant.
	flags  []uint32
	chains []nftables.Chain
	rules  [][]expr.Any
}

func (s state) equal(other state) bool { return reflect.DeepEqual(s, other) }

// exists says whether there is a table that has a chain.
func (s state) exists() bool { return len(s.chains) > 0 }

// read returns what there is of the table. Counters are left out: they run.
func read() (state, error) {
	var s state
	c, err := nftables.New()
	if err != nil {
		return s, fmt.Errorf("open nftables: %w", err)
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return s, fmt.Errorf("list nftables tables: %w", err)
	}
	for _, t := range tables {
		if t.Name == TableName {
			s.flags = append(s.flags, t.Flags)
		}
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return s, fmt.Errorf("list nftables chains: %w", err)
	}
	for _, chain := range chains {
		if chain.Table.Name != TableName {
			continue
		}
		rules, err := c.GetRules(chain.Table, chain)
		if err != nil {
			return s, fmt.Errorf("list rules of nftables table %s: %w", TableName, err)
		}
		s.chains = append(s.chains, nftables.Chain{Name: chain.Name, Type: chain.Type, Hooknum: chain.Hooknum, Priority: chain.Priority, Policy: chain.Policy})
		for _, rule := range rules {
			s.rules = append(s.rules, steady(rule.Exprs))
		}
	}
	return s, nil
}

func steady(all []expr.Any) []expr.Any {
	for i, e := range all {
		if _, counts := e.(*expr.Counter); counts {
			all[i] = &expr.Counter{}
		}
	}
	return all
}

// concerns says whether a message of the kernel's (nfgenmsg, then attributes) is
// about the table: the first attribute of tables, chains, rules and sets names
// their table.
func concerns(message []byte) bool {
	const header, attribute = 4, 4
	want := TableName + "\x00"
	if len(message) < header+attribute+len(want) {
		return false
	}
	first := message[header:]
	length, kind := binaryutil.NativeEndian.Uint16(first), binaryutil.NativeEndian.Uint16(first[2:])
	return int(kind) == unix.NFTA_TABLE_NAME && int(length) == attribute+len(want) && string(first[attribute:attribute+len(want)]) == want
}
