package ovn

// expected is what was last applied.
type expected struct {
	networks map[Key]*expectation
	ports    map[string]expectedPort // by name
}

// expectation is what was last applied of one network.
type expectation struct {
	network Network             // without its ports
	ports   map[string]struct{} // the names of those on it
	leaving map[string]struct{} // names of ports that another network takes over
	version int                 // rises with each change
}

// expectedPort is a port and the network that it was applied to.
type expectedPort struct {
	Port
	on *expectation
}

func newExpected() expected {
	return expected{networks: map[Key]*expectation{}, ports: map[string]expectedPort{}}
}

// replace expects exactly this network, and returns it with those that lose a
// port to it.
func (e expected) replace(n Network) []Key {
	x := e.of(n)
	for name := range x.ports {
		e.drop(x, name)
	}
	clear(x.leaving)
	for _, name := range n.Leaving {
		x.leaving[name] = struct{}{}
	}
	return e.put(x, n.Ports)
}

// change expects the changes, and returns the network with those that lose a
// port to it.
func (e expected) change(ch PortChanges) []Key {
	x := e.of(ch.Network)
	for _, name := range ch.Remove {
		e.drop(x, name)
		delete(x.leaving, name)
	}
	return e.put(x, ch.Set)
}

// of returns the expectation of a network, with all of it but its ports.
func (e expected) of(n Network) *expectation {
	x := e.networks[n.Key]
	if x == nil {
		x = &expectation{ports: map[string]struct{}{}, leaving: map[string]struct{}{}}
		e.networks[n.Key] = x
	}
	n.Ports, n.Leaving = nil, nil
	x.network = n
	x.version++
	return x
}

func (e expected) put(x *expectation, ports []Port) []Key {
	touched := []Key{x.network.Key}
	for _, p := range ports {
		if before, has := e.ports[p.Name]; has && before.on != x {
			delete(before.on.ports, p.Name)
			before.on.version++
			touched = append(touched, before.on.network.Key)
		}
		e.ports[p.Name] = expectedPort{Port: p, on: x}
		x.ports[p.Name] = struct{}{}
		delete(x.leaving, p.Name)
	}
	return touched
}

func (e expected) drop(x *expectation, port string) {
	if _, has := x.ports[port]; has {
		delete(x.ports, port)
		delete(e.ports, port)
	}
}

// forget expects nothing of a network.
func (e expected) forget(key Key) {
	x := e.networks[key]
	if x == nil {
		return
	}
	for name := range x.ports {
		e.drop(x, name)
	}
	delete(e.networks, key)
}

// owner returns the network that a port was applied to.
func (e expected) owner(port string) (Key, bool) {
	p, has := e.ports[port]
	if !has {
		return Key{}, false
	}
	return p.on.network.Key, true
}

// target returns what is expected of a network as far as these ports go.
func (x *expectation) target(e expected, ports map[string]struct{}) target {
	t := target{Network: x.network, partial: true}
	for name := range ports {
		p, has := e.ports[name]
		_, leaving := x.leaving[name]
		switch {
		case has && p.on == x:
			t.Ports = append(t.Ports, p.Port)
		case !leaving:
			t.gone = append(t.gone, name)
		}
	}
	return t
}
