package ovn

import "slices"

// State is what a northbound database holds of one network: the input of
// [Diff]. A [Client] makes it from its cache.
type State struct {
	sw      *switchRow  // the network's switch; nil when there is none
	surplus []switchRow // further switches of the same network
	foreign bool        // somebody else's switch has the network's name

	// The ports on sw, and ports that have a desired name and are elsewhere.
	ports []portRow

	dhcp []dhcpRow // the network's sets of DHCP options
}

// switchRow is a row of Logical_Switch, as far as it is ours.
type switchRow struct {
	uuid string
	name string
	ids  map[string]string
}

// portRow is a row of Logical_Switch_Port, as far as it is ours.
type portRow struct {
	uuid      string
	name      string
	ids       map[string]string
	addresses []string
	security  []string
	dhcp      refs

	// The switches that have the port, when the network's own has not.
	elsewhere []switchRow
}

// is says whether the row is what the network's port shall be, which refers to
// these sets of DHCP options.
func (r portRow) is(n Network, p Port, dhcp refs) bool {
	return sameSet(r.addresses, p.Addresses) &&
		sameSet(r.security, p.PortSecurity) &&
		r.dhcp == dhcp &&
		carries(r.ids, portIDs(n, p))
}

// sameSet compares a and b as sets. They have few elements.
func sameSet(a, b []string) bool {
	return subset(a, b) && subset(b, a)
}

func subset(a, b []string) bool {
	for _, v := range a {
		if !slices.Contains(b, v) {
			return false
		}
	}
	return true
}
