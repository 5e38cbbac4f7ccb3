package ovn

// PackedPort is a Port without its name and its owner, in one string: the slices
// and the map of thousands of ports would weigh several times as much as what is
// in them. Equal ports are packed equally, within one process.
type PackedPort string

// Pack packs the port.
func (p Port) Pack() PackedPort {
	b := make(packer, 0, 256) // most ports fit, and none outlives the call
	b.text(p.Type)
	b.set(p.Addresses)
	b.set(p.PortSecurity)
	b.sortedPairs(p.Options)
	b.number(p.TunnelKey)
	b.text(p.Permit)
	return PackedPort(b)
}

// Port is what was packed. Its texts share the packed memory.
func (s PackedPort) Port() Port {
	u := unpacker(s)
	return Port{Type: u.text(), Addresses: u.set(), PortSecurity: u.set(), Options: u.pairs(), TunnelKey: u.number(), Permit: u.text()}
}
