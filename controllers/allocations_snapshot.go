package controllers

import (
	"cmp"
	"slices"

	"l2sm.io/l2sm/internal/inventory"
)

// Snapshot is who has what at this moment, in order. It loads nothing: before
// the first use, and where another replica leads, it is empty.
func (a *Allocations) Snapshot() []inventory.Lease {
	a.mu.Lock()
	defer a.mu.Unlock()
	pending := map[string]bool{}
	for owner, h := range a.holders {
		pending[owner.String()] = h.uid == ""
	}
	var leases []inventory.Lease
	for network, pool := range a.networks {
		for _, owner := range pool.Owners() {
			lease, _ := pool.Lease(owner)
			s := inventory.Lease{Network: network.String(), Owner: owner, MAC: lease.MAC.String(), Pending: pending[owner]}
			for _, address := range lease.Addresses {
				s.Addresses = append(s.Addresses, address.String())
			}
			leases = append(leases, s)
		}
	}
	slices.SortFunc(leases, func(x, y inventory.Lease) int {
		return cmp.Or(cmp.Compare(x.Network, y.Network), cmp.Compare(x.Owner, y.Owner))
	})
	return leases
}
