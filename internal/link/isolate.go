package link

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/nftables"
	"github.com/safchain/ethtool"
	"golang.org/x/sys/unix"
)

// isolate keeps the node's network stack out of a host end that is down.
//
// Without IPv6 the node takes no link-local address there and joins no
// multicast groups, so it never sends. On a userspace datapath, what it receives
// is dropped between OVS' packet tap and the stack. On a kernel datapath the same
// hook runs before OVS and would cut the pod off; there the stack receives only
// while OVS does not hold the host end, and is made deaf on it.
func (l *Links) isolate(host string, datapath Datapath) error {
	if err := l.silenceIPv6(host); err != nil {
		return err
	}
	if datapath == Kernel {
		return l.deafen(host)
	}
	return shutOutHost(host)
}

// deafen has the stack ignore what it receives by IPv4 on an interface, whatever
// the node's defaults are (kernel documentation, networking/ip-sysctl).
func (l *Links) deafen(name string) error {
	for _, s := range []struct{ key, value string }{
		{"arp_ignore", "8"}, // answers no ARP
		{"forwarding", "0"}, // nor for others (proxy_arp)
		{"rp_filter", "1"},  // no route leads there, so no source is valid
	} {
		if err := l.setSysctl("ipv4", name, s.key, s.value); err != nil {
			return err
		}
	}
	return nil
}

func (l *Links) setDisableIPv6(name string, disable bool) error {
	value := "0"
	if disable {
		value = "1"
	}
	return l.setIPv6(name, "disable_ipv6", value)
}

func (l *Links) setIPv6(name, key, value string) error { return l.setSysctl("ipv6", name, key, value) }

// setSysctl sets one of an interface's.
func (l *Links) setSysctl(family, name, key, value string) error {
	file := filepath.Join(l.sysctls, "net", family, "conf", name, key)
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		return fmt.Errorf("set %s=%s on interface %q: %w", key, value, name, err)
	}
	return nil
}

// lacksIPv6 says whether the kernel runs without IPv6 at all.
func (l *Links) lacksIPv6() bool {
	_, err := os.Stat(filepath.Join(l.sysctls, "net/ipv6/conf/all"))
	return errors.Is(err, os.ErrNotExist)
}

// table holds one chain for each host end, of the host end's name.
var table = &nftables.Table{Name: "l2sm-pods", Family: nftables.TableFamilyNetdev}

// firstPriority is before every other chain of the hook.
const firstPriority = nftables.ChainPriority(-300)

func shutOutHost(host string) error {
	drop := nftables.ChainPolicyDrop
	priority := firstPriority
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	c.AddTable(table)
	c.AddChain(&nftables.Chain{
		Name: host, Table: table, Device: host,
		Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookIngress, Priority: &priority, Policy: &drop,
	})
	if err := c.Flush(); err != nil {
		return fmt.Errorf("drop what host end %q receives: %w", host, err)
	}
	return nil
}

// admitHost removes what shutOutHost made. Kernels of old do so themselves
// when the link goes.
func admitHost(host string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	// A look costs nothing; a deletion waits for an RCU grace period even where
	// there is nothing to delete.
	chains, err := c.ListChainsOfTableFamily(table.Family)
	if err == nil && !slices.ContainsFunc(chains, func(c *nftables.Chain) bool { return c.Table.Name == table.Name && c.Name == host }) {
		return nil
	}
	c.DelChain(&nftables.Chain{Name: host, Table: table})
	if err := c.Flush(); err != nil && !isMissing(err) {
		return fmt.Errorf("delete nftables chain %q: %w", host, err)
	}
	return nil
}

// isMissing: no such chain, or a kernel without nftables.
func isMissing(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP)
}

// disableChecksumOffload makes the sender compute checksums: a userspace
// datapath forwards what it reads from the tap as it is, and nothing behind it
// would fill them in.
func disableChecksumOffload(name string) error {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return fmt.Errorf("open ethtool: %w", err)
	}
	defer e.Close()
	off := map[string]bool{"tx-checksum-ip-generic": false, "tx-checksum-sctp": false}
	if err := e.Change(name, off); err != nil {
		return fmt.Errorf("turn checksum offload of interface %q off: %w", name, err)
	}
	return nil
}
