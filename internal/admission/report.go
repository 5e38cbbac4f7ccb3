package admission

import (
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Report is what the ledger has to say of a network.
type Report struct {
	// InForce is the network with its spec in force: nil where none is.
	InForce *v1alpha1.L2Network
	// Version changes with what is in force.
	Version int64
	// Generation is the one that was judged last, Refused why it is not in force:
	// nil where it is.
	Generation int64
	Refused    error
	// Members is the number of attachments that have a lease.
	Members int
}

// Judge brings what is in force of a network in line with its spec, and reports.
func (l *Ledger) Judge(network *v1alpha1.L2Network) Report {
	n := l.locked(network.Key())
	defer n.mu.Unlock()
	n.judge(network, l.cluster)
	return n.report()
}

func (n *network) report() Report {
	return Report{InForce: n.object(), Version: n.version, Generation: n.generation, Refused: n.refused, Members: n.pool.Len()}
}

// Open says that what is on record of the network's attachments has been taken:
// from now on something new may be given out.
func (l *Ledger) Open(key types.NamespacedName) {
	n := l.locked(key)
	defer n.mu.Unlock()
	n.opened = n.known
}

// Members are the names of the attachments that have a lease on the network, in
// order, each as "namespace/name".
func (l *Ledger) Members(key types.NamespacedName) []string {
	l.mu.Lock()
	n := l.networks[key]
	l.mu.Unlock()
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pool.Owners()
}

// Close says that the API does not have the network any more. What is still
// held there is released by its holders' own reconciles.
func (l *Ledger) Close(key types.NamespacedName) {
	l.mu.Lock()
	n := l.networks[key]
	l.mu.Unlock()
	if n == nil {
		return
	}
	n.mu.Lock()
	n.known, n.opened, n.inForce, n.refused, n.stranded = false, false, nil, nil, nil
	n.mu.Unlock()
	l.drop(key, n)
}

// On are the networks that the attachment has a lease on, the one that it moves
// to last.
func (l *Ledger) On(a *v1alpha1.L2Attachment) []types.NamespacedName {
	if h, held := l.holder(a.Key()); held && h.uid == a.UID {
		return h.networks
	}
	return nil
}
