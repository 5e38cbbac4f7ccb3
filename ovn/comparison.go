package ovn

import "slices"

// comparison is what a network, as far as some of its ports go, is compared
// with. Of its ports the target has the names only, of all else the key.
type comparison struct {
	target
	network fingerprint
	ports   []fingerprint // of the target's ports
}

// compared returns what is expected of a network as far as these ports go.
func (x *expectation) compared(e expected, ports map[string]struct{}) comparison {
	c := comparison{target: target{Network: Network{Key: x.key}, partial: true, surplus: true}, network: x.network}
	for name := range ports {
		p := e.ports[fingerprintOf(name)]
		_, leaving := x.leaving[name]
		switch {
		case p != nil && p.on == x:
			c.Ports = append(c.Ports, Port{Name: name})
			c.ports = append(c.ports, p.port)
		case !leaving:
			c.gone = append(c.gone, name)
		}
	}
	return c
}

// met says whether the rows are as expected: whether what they tell of the
// network is what was applied, and they are all that makes it up.
func (c comparison) met(actual State) bool {
	told := c.Network
	told.Ports = slices.Clone(c.Ports)
	for _, r := range actual.rows {
		r.tell(&told)
	}
	for i, p := range told.Ports {
		if p.fingerprint() != c.ports[i] {
			return false
		}
	}
	if told.fingerprint() != c.network {
		return false
	}
	plan, err := Diff(told, actual)
	return err == nil && plan.Empty()
}
