package admission

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/inventory"
)

// Snapshot is who has what at this moment, in order. Where another replica
// leads, it is empty.
func (l *Ledger) Snapshot() []inventory.Lease {
	l.mu.Lock()
	networks := make(map[types.NamespacedName]*network, len(l.networks))
	for key, n := range l.networks {
		networks[key] = n
	}
	pending := map[string]bool{}
	for owner, h := range l.holders {
		pending[owner.String()] = h.uid == ""
	}
	l.mu.Unlock()

	var leases []inventory.Lease
	for key, n := range networks {
		leases = append(leases, n.leases(key, pending)...)
	}
	slices.SortFunc(leases, func(x, y inventory.Lease) int {
		return cmp.Or(cmp.Compare(x.Network, y.Network), cmp.Compare(x.Owner, y.Owner))
	})
	return leases
}

func (n *network) leases(key types.NamespacedName, pending map[string]bool) []inventory.Lease {
	n.mu.Lock()
	defer n.mu.Unlock()
	var leases []inventory.Lease
	for _, owner := range n.pool.Owners() {
		lease, _ := n.pool.Lease(owner)
		s := inventory.Lease{Network: key.String(), Owner: owner, MAC: lease.MAC.String(), Pending: pending[owner]}
		for _, address := range lease.Addresses {
			s.Addresses = append(s.Addresses, address.String())
		}
		leases = append(leases, s)
	}
	return leases
}
