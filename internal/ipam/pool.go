package ipam

import (
	"fmt"
	"net/netip"
	"slices"
)

// Pool is the MAC and IP addresses of one network and who has them. An owner
// is a name that means something to a person, such as "default/ping-net1-4f2a9c1e":
// it appears in errors. A Pool is not safe for concurrent use.
type Pool struct {
	config  Config
	subnets []*subnet
	leases  leases
	// elsewhere is what other sides of the network announce.
	elsewhere elsewhere
}

// Request is what an owner asks for.
type Request struct {
	// MAC asked for. The zero MAC leaves the choice to the Pool.
	MAC MAC
	// Addresses asked for, at most one of each family. One without a length,
	// netip.PrefixFrom(addr, -1), takes its subnet's. Subnets that none lies in
	// assign one.
	Addresses []netip.Prefix
}

// Lease is what an owner has: IPv4 before IPv6.
type Lease struct {
	MAC       MAC
	Addresses []netip.Prefix
}

// Satisfies says whether the lease is what the request asks for.
func (l Lease) Satisfies(r Request) bool {
	if r.MAC != (MAC{}) && r.MAC != l.MAC {
		return false
	}
	for _, asked := range r.Addresses {
		if !slices.ContainsFunc(l.Addresses, func(has netip.Prefix) bool { return has.Addr() == asked.Addr() }) {
			return false
		}
	}
	return true
}

// NewPool returns the pool of a pure layer 2 network.
func NewPool() *Pool { return &Pool{} }

// Configure puts a config into force. Leases stay as they are. A change that
// would leave addresses in use outside of what was in force is refused with a
// *StrandedError, and nothing changes.
func (p *Pool) Configure(c Config) error {
	if equal(p.config, c) {
		return nil
	}
	subnets := make([]*subnet, 0, len(c.Subnets))
	for _, prefix := range c.Subnets {
		subnets = append(subnets, newSubnet(prefix, c))
	}
	if stranded := p.stranded(subnets); stranded.Count > 0 {
		return stranded
	}

	p.config, p.subnets = c, subnets
	p.retrack()
	return nil
}

// Unconfigure puts the config of a pure layer 2 network into force. Leases stay, as
// does what is announced.
func (p *Pool) Unconfigure() { p.config, p.subnets = Config{}, nil }

// retrack has each subnet keep its free addresses while there are many that are not.
func (p *Pool) retrack() {
	tracks := p.leases.many() || p.elsewhere.any()
	for _, s := range p.subnets {
		switch {
		case tracks && !s.tracks():
			s.track()
			p.takeAll(s)
		case !tracks && s.tracks():
			s.untrack()
		}
	}
}

// takeAll takes all that somebody has in a subnet.
func (p *Pool) takeAll(s *subnet) {
	for _, lease := range p.leases.all() {
		p.each(lease, (*subnet).take)
	}
	for _, side := range p.elsewhere.sides {
		for addr := range side.addresses {
			if s.prefix.Contains(addr) {
				s.take(addr)
			}
		}
	}
}

// put has an address be assigned again that nobody has.
func (p *Pool) put(addr netip.Addr) {
	s := p.subnetOf(addr)
	_, leased := p.leases.holder(addr)
	_, announced := p.elsewhere.holder(addr)
	if s != nil && !leased && !announced {
		s.put(addr)
	}
}

// each does to the subnets what they are to do with the lease's addresses.
func (p *Pool) each(lease Lease, do func(*subnet, netip.Addr)) {
	for _, a := range lease.Addresses {
		if s := p.subnetOf(a.Addr()); s != nil {
			do(s, a.Addr())
		}
	}
}

// Config is the config in force.
func (p *Pool) Config() Config { return p.config }

// stranded are the holders of addresses that would lose their standing: were
// assignable and no more, or were grantable and no more.
func (p *Pool) stranded(to []*subnet) *StrandedError {
	stranded := &StrandedError{}
	for owner, lease := range p.leases.all() {
		for _, a := range lease.Addresses {
			if strands(p.subnetOf(a.Addr()), subnetIn(to, a.Addr()), a.Addr()) {
				stranded.add(owner, a.Addr())
			}
		}
	}
	return stranded
}

func strands(was, becomes *subnet, addr netip.Addr) bool {
	if was == nil || becomes == nil {
		return false
	}
	return was.assignable.contains(addr) && !becomes.assignable.contains(addr) ||
		was.grantable(addr) && !becomes.grantable(addr)
}

// Allocate gives an owner its addresses, all of them or none. An owner that
// has a lease keeps it, whatever the request.
func (p *Pool) Allocate(owner string, r Request) (Lease, error) {
	if lease, ok := p.leases.of(owner); ok {
		return lease, nil
	}
	if r.MAC != (MAC{}) && !r.MAC.unicast() {
		return Lease{}, &RequestError{fmt.Sprintf("MAC address %s is no unicast address", r.MAC)}
	}
	asked, err := p.asked(r)
	if err != nil {
		return Lease{}, err
	}
	assigned, err := p.assigned(asked)
	if err != nil {
		return Lease{}, err
	}

	lease := Lease{MAC: r.MAC, Addresses: append(asked, assigned...)}
	slices.SortFunc(lease.Addresses, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	if lease.MAC == (MAC{}) {
		lease.MAC = p.chooseMAC(owner, lease.Addresses)
	}
	if err := p.Take(owner, lease, Lease{}); err != nil {
		return Lease{}, err
	}
	for _, a := range assigned {
		p.subnetOf(a.Addr()).passed(a.Addr())
	}
	return lease, nil
}

// asked checks the addresses that a request names and gives them their
// subnet's length.
func (p *Pool) asked(r Request) ([]netip.Prefix, error) {
	var addresses []netip.Prefix
	for _, a := range r.Addresses {
		i := slices.IndexFunc(p.subnets, func(s *subnet) bool { return sameFamily(s.prefix.Addr(), a.Addr()) })
		if i >= 0 {
			if err := p.subnets[i].check(a); err != nil {
				return nil, err
			}
			a = netip.PrefixFrom(a.Addr(), p.subnets[i].prefix.Bits())
		}
		if i < 0 && len(p.subnets) > 0 {
			return nil, &OutOfRangeError{a.Addr(), fmt.Sprintf("is outside the network's subnet %s", p.subnets[0].prefix)}
		}
		if a.Bits() < 0 {
			return nil, &RequestError{fmt.Sprintf("address %s needs a prefix length on a network without ipam, such as %s/24", a.Addr(), a.Addr())}
		}
		if err := CheckHost(a); i < 0 && err != nil {
			return nil, err
		}
		if slices.ContainsFunc(addresses, func(o netip.Prefix) bool { return sameFamily(o.Addr(), a.Addr()) }) {
			return nil, &RequestError{fmt.Sprintf("address %s is the second one of its family", a.Addr())}
		}
		addresses = append(addresses, a)
	}
	return addresses, nil
}

// assigned chooses an address in every subnet that the request names none of.
func (p *Pool) assigned(asked []netip.Prefix) ([]netip.Prefix, error) {
	var addresses []netip.Prefix
	for _, s := range p.subnets {
		if slices.ContainsFunc(asked, func(a netip.Prefix) bool { return s.prefix.Contains(a.Addr()) }) {
			continue
		}
		addr, err := s.next(&p.leases)
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, netip.PrefixFrom(addr, s.prefix.Bits()))
	}
	return addresses, nil
}

func (p *Pool) chooseMAC(owner string, addresses []netip.Prefix) MAC {
	if len(addresses) > 0 && addresses[0].Addr().Is4() {
		if mac := macOf(addresses[0].Addr()); p.freeMAC(mac) {
			return mac
		}
	}
	for attempt := 0; ; attempt++ {
		if mac := macFor(owner, attempt); p.freeMAC(mac) {
			return mac
		}
	}
}

func (p *Pool) freeMAC(mac MAC) bool {
	_, taken := p.leases.station(mac)
	_, announced := p.elsewhere.station(mac)
	return !taken && !announced
}

// Take is Hold, but not of what is announced, with an *ElsewhereError, unless the
// owner has it already.
func (p *Pool) Take(owner string, lease, has Lease) error {
	if err := p.taken(owner, lease); err != nil {
		return err
	}
	if err := p.Elsewhere(lease, has); err != nil {
		return err
	}
	return p.Hold(owner, lease)
}

// Hold takes exactly the lease, inside the network's ranges or not, announced or not:
// what is recorded as in use is in use. It fails with *AddressTakenError or
// *MACTakenError, and then takes nothing. What the owner had before is
// replaced.
func (p *Pool) Hold(owner string, lease Lease) error {
	if err := p.taken(owner, lease); err != nil {
		return err
	}
	p.Release(owner)
	p.leases.add(owner, lease)
	p.each(lease, (*subnet).take)
	p.retrack()
	return nil
}

// taken says which other owner has something of the lease.
func (p *Pool) taken(owner string, lease Lease) error {
	for _, a := range lease.Addresses {
		if holder, taken := p.leases.holder(a.Addr()); taken && holder != owner {
			return &AddressTakenError{a.Addr(), holder}
		}
	}
	if holder, taken := p.leases.station(lease.MAC); taken && holder != owner {
		return &MACTakenError{lease.MAC, holder}
	}
	return nil
}

// Release takes back all that the owner has, if anything.
func (p *Pool) Release(owner string) {
	lease, ok := p.leases.of(owner)
	if !ok {
		return
	}
	p.leases.remove(owner, lease)
	for _, a := range lease.Addresses {
		p.put(a.Addr())
	}
	p.retrack()
}

// Owner is who has the address.
func (p *Pool) Owner(addr netip.Addr) (owner string, taken bool) { return p.leases.holder(addr) }

// OwnerOfMAC is who has the MAC address.
func (p *Pool) OwnerOfMAC(mac MAC) (owner string, taken bool) { return p.leases.station(mac) }

// Lease is what the owner has.
func (p *Pool) Lease(owner string) (Lease, bool) { return p.leases.of(owner) }

// Check says whether the network could grant the address, whoever has it now.
// It fails with *OutOfRangeError or *RequestError.
func (p *Pool) Check(address netip.Prefix) error {
	_, err := p.asked(Request{Addresses: []netip.Prefix{address}})
	return err
}

// Has says whether the owner has a lease.
func (p *Pool) Has(owner string) bool {
	_, has := p.leases.of(owner)
	return has
}

// Owners are all that have a lease, sorted: O(n log n). See Has and Len.
func (p *Pool) Owners() []string {
	owners := make([]string, 0, p.leases.len())
	for owner := range p.leases.all() {
		owners = append(owners, owner)
	}
	slices.Sort(owners)
	return owners
}

// Len is the number of leases.
func (p *Pool) Len() int { return p.leases.len() }

func (p *Pool) subnetOf(addr netip.Addr) *subnet { return subnetIn(p.subnets, addr) }

func subnetIn(subnets []*subnet, addr netip.Addr) *subnet {
	for _, s := range subnets {
		if s.prefix.Contains(addr) {
			return s
		}
	}
	return nil
}

func equal(a, b Config) bool {
	return slices.Equal(a.Subnets, b.Subnets) && slices.Equal(a.Ranges, b.Ranges) && slices.Equal(a.Excluded, b.Excluded)
}
