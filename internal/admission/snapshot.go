package admission

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/ipam"
)

// Held is what one attachment has on one network.
type Held struct {
	Network, Owner types.NamespacedName
	ipam.Lease
	// Pending says that the attachment is yet to be written.
	Pending bool
}

// Snapshot is who has what at this moment, in order. Where another replica
// leads, it is empty.
func (l *Ledger) Snapshot() []Held {
	l.mu.Lock()
	networks := make(map[types.NamespacedName]*network, len(l.networks))
	for key, n := range l.networks {
		networks[key] = n
	}
	pending := map[types.NamespacedName]bool{}
	for owner, h := range l.holders {
		pending[owner] = h.uid == ""
	}
	l.mu.Unlock()

	var leases []Held
	for key, n := range networks {
		leases = append(leases, n.leases(key, pending)...)
	}
	slices.SortFunc(leases, func(x, y Held) int {
		return cmp.Or(cmp.Compare(x.Network.String(), y.Network.String()), cmp.Compare(x.Owner.String(), y.Owner.String()))
	})
	return leases
}

func (n *network) leases(key types.NamespacedName, pending map[types.NamespacedName]bool) []Held {
	n.mu.Lock()
	defer n.mu.Unlock()
	var leases []Held
	for _, name := range n.pool.Owners() {
		lease, _ := n.pool.Lease(name)
		namespace, attachment, _ := strings.Cut(name, "/")
		owner := types.NamespacedName{Namespace: namespace, Name: attachment}
		leases = append(leases, Held{key, owner, lease, pending[owner]})
	}
	return leases
}
