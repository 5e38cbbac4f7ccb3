package link

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A pod with two interfaces in one subnet has two routes to it, and the kernel
// takes the first for all it sends: what one interface was asked is answered
// through the other, where port security drops it. A lane has an address leave
// by its own interface: one rule for packets from the address (ip-rule(8)), and
// a table with the interface's route to its subnet and no other.
//
// Only where subnets overlap: elsewhere the main table says the same, and a pod
// that writes routes and rules of its own, such as a router, finds them alone. A
// lane leaves all else to the main table: what goes beyond the subnet, what is
// forwarded, and what has no source address yet.
type lane struct {
	iface   string
	address netip.Addr
	subnet  netip.Prefix
}

const (
	// laneProtocol marks the rules and routes of lanes: a number that neither
	// the kernel nor a routing daemon uses (rtnetlink(7), rtm_protocol).
	laneProtocol = 0x6c
	// lanePriority is after what pods write, and before the main table (32766).
	lanePriority = 32700
	// laneTable plus an interface's index is its table: far above the numbers that
	// people and distributions use.
	laneTable = 0x6c32_0000
)

// lanes are those that the interfaces of a pod need. An address that two of them
// have can't tell them apart.
func lanes(interfaces []Interface) []lane {
	var all []lane
	for i, is := range interfaces {
		for _, a := range is.Addresses {
			overlaps, twice := false, false
			for j, other := range interfaces {
				for _, b := range other.Addresses {
					overlaps = overlaps || i != j && a.Overlaps(b)
					twice = twice || i != j && a.Addr() == b.Addr()
				}
			}
			if overlaps && !twice {
				all = append(all, lane{is.Name, a.Addr(), a.Masked()})
			}
		}
	}
	return all
}

// Steer has each address of a pod's interfaces leave by its own interface where
// several are in one subnet, and takes back what an earlier Steer did for others.
// interfaces are all of the pod's; addresses that they do not have are left out.
// It may be repeated. A namespace that does not exist gives an error that matches
// os.ErrNotExist.
func Steer(netns string, interfaces []Interface) error {
	return inNamespace(netns, func() error {
		present, err := addressed(interfaces)
		if err != nil {
			return err
		}
		all := lanes(present)
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			if err := steer(family, all); err != nil {
				return fmt.Errorf("steer addresses to their interfaces: %w", err)
			}
		}
		return nil
	})
}

// Steered returns an error that names what Steer would add in the network
// namespace at path netns.
func Steered(netns string, interfaces []Interface) error {
	return inNamespace(netns, func() error {
		present, err := addressed(interfaces)
		if err != nil {
			return err
		}
		var errs []error
		for _, l := range lanes(present) {
			rules, err := laneRules(l.family())
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(rules, l.isRule) {
				errs = append(errs, fmt.Errorf("address %s of interface %q lacks the rule that has it leave by that interface", l.address, l.iface))
			}
		}
		return errors.Join(errs...)
	})
}

// addressed are the interfaces that are there, with those of their addresses
// that they have.
func addressed(interfaces []Interface) ([]Interface, error) {
	var present []Interface
	for _, is := range interfaces {
		link, err := netlink.LinkByName(is.Name)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("get interface %q: %w", is.Name, err)
		}
		has, err := addressesOf(link)
		if err != nil {
			return nil, err
		}
		lost := func(p netip.Prefix) bool { return !slices.Contains(has, p) }
		is.Addresses = slices.DeleteFunc(slices.Clone(is.Addresses), lost)
		present = append(present, is)
	}
	return present, nil
}

// steer brings one family's rules in line: what is not wanted goes first, since
// an address may have gone from one interface to another.
func steer(family int, all []lane) error {
	wanted := slices.DeleteFunc(slices.Clone(all), func(l lane) bool { return l.family() != family })
	rules, err := laneRules(family)
	if err != nil {
		return err
	}
	for _, rule := range rules {
		if slices.ContainsFunc(wanted, func(l lane) bool { return l.isRule(rule) }) {
			continue
		}
		if err := leave(family, rule); err != nil {
			return err
		}
	}
	for _, l := range wanted {
		if err := l.open(rules); err != nil {
			return err
		}
	}
	return nil
}

// laneRules are the rules that lanes have made. A kernel without a family has
// none.
func laneRules(family int) ([]netlink.Rule, error) {
	rules, err := Whole(func() ([]netlink.Rule, error) { return netlink.RuleList(family) })
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	return slices.DeleteFunc(rules, func(r netlink.Rule) bool { return r.Protocol != laneProtocol }), nil
}

// leave removes a rule and what its table holds.
func leave(family int, rule netlink.Rule) error {
	rule.Family = family
	if err := netlink.RuleDel(&rule); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete rule from %s: %w", rule.Src, err)
	}
	routes, err := Whole(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(family, &netlink.Route{Table: rule.Table}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return fmt.Errorf("list routes of table %d: %w", rule.Table, err)
	}
	for _, route := range routes {
		if err := netlink.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("delete route to %s: %w", route.Dst, err)
		}
	}
	return nil
}

// open makes the route before the rule that leads to it.
func (l lane) open(rules []netlink.Rule) error {
	link, err := netlink.LinkByName(l.iface)
	if isNotFound(err) {
		return nil // it is going
	}
	if err != nil {
		return fmt.Errorf("get interface %q: %w", l.iface, err)
	}
	table := laneTable + link.Attrs().Index
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(l.subnet), Table: table, Protocol: laneProtocol, Scope: netlink.SCOPE_LINK}
	if l.address.Is6() {
		route.Scope = netlink.SCOPE_UNIVERSE // IPv6 routes have no other
	}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("add route to %s by interface %q: %w", l.subnet, l.iface, err)
	}
	same := func(r netlink.Rule) bool { return l.isRule(r) && r.Table == table }
	if slices.ContainsFunc(rules, same) {
		return nil
	}
	rule := netlink.NewRule()
	rule.Family, rule.Src = l.family(), ipNet(netip.PrefixFrom(l.address, l.address.BitLen()))
	rule.Table, rule.Priority, rule.Protocol = table, lanePriority, laneProtocol
	if err := netlink.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add rule from %s: %w", l.address, err)
	}
	return nil
}

func (l lane) family() int {
	if l.address.Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// isRule says whether the rule is for the lane's address.
func (l lane) isRule(r netlink.Rule) bool {
	return r.Src != nil && prefix(r.Src) == netip.PrefixFrom(l.address, l.address.BitLen())
}
