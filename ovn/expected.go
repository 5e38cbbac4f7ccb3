package ovn

// expected is what was last applied: fingerprints of it, as the replica has the
// same once more. Ports are found by the fingerprint of their name.
type expected struct {
	networks map[Key]*expectation
	ports    map[fingerprint]*expectedPort
}

// expectation is what was last applied of one network.
type expectation struct {
	key     Key
	network fingerprint         // of all but its ports
	ports   *expectedPort       // the first of a list, nil for none
	leaving map[string]struct{} // names of ports that another network takes over, nil for none
	version int                 // rises with each change
}

// expectedPort is a port of a network, in the list of those.
type expectedPort struct {
	name, port     fingerprint
	on             *expectation
	previous, next *expectedPort
}

func newExpected() expected {
	return expected{networks: map[Key]*expectation{}, ports: map[fingerprint]*expectedPort{}}
}

// replace expects exactly this network, and returns it with those that lose a
// port to it.
func (e expected) replace(n Network) []Key {
	x := e.of(n)
	e.clear(x)
	x.leaving = nil
	if len(n.Leaving) > 0 {
		x.leaving = setOf(n.Leaving)
	}
	return e.put(x, n.Ports)
}

// change expects the changes, and returns the network with those that lose a
// port to it.
func (e expected) change(ch PortChanges) []Key {
	x := e.of(ch.Network)
	for _, name := range ch.Remove {
		if p := e.ports[fingerprintOf(name)]; p != nil && p.on == x {
			e.drop(p)
		}
		delete(x.leaving, name)
	}
	return e.put(x, ch.Set)
}

// of returns the expectation of a network, with all of it but its ports.
func (e expected) of(n Network) *expectation {
	x := e.networks[n.Key]
	if x == nil {
		x = &expectation{key: n.Key}
		e.networks[n.Key] = x
	}
	x.network = n.fingerprint()
	x.version++
	return x
}

func (e expected) put(x *expectation, ports []Port) []Key {
	touched := []Key{x.key}
	for _, port := range ports {
		name := fingerprintOf(port.Name)
		p := e.ports[name]
		if p != nil && p.on != x {
			p.on.version++
			touched = append(touched, p.on.key)
			e.drop(p)
			p = nil
		}
		if p == nil {
			p = &expectedPort{name: name, on: x}
			x.link(p)
			e.ports[name] = p
		}
		p.port = port.fingerprint()
		delete(x.leaving, port.Name)
	}
	return touched
}

func (x *expectation) link(p *expectedPort) {
	p.next = x.ports
	if p.next != nil {
		p.next.previous = p
	}
	x.ports = p
}

// drop expects a port no longer.
func (e expected) drop(p *expectedPort) {
	delete(e.ports, p.name)
	if p.next != nil {
		p.next.previous = p.previous
	}
	if p.previous != nil {
		p.previous.next = p.next
		return
	}
	p.on.ports = p.next
}

// clear expects none of the network's ports.
func (e expected) clear(x *expectation) {
	for p := x.ports; p != nil; p = p.next {
		delete(e.ports, p.name)
	}
	x.ports = nil
}

// forget expects nothing of a network.
func (e expected) forget(key Key) {
	if x := e.networks[key]; x != nil {
		e.clear(x)
		delete(e.networks, key)
	}
}

// owner returns the network that a port was applied to.
func (e expected) owner(port string) (Key, bool) {
	p := e.ports[fingerprintOf(port)]
	if p == nil {
		return Key{}, false
	}
	return p.on.key, true
}

func setOf(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}
