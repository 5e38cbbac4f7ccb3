package admission

import (
	"errors"

	"k8s.io/apimachinery/pkg/api/equality"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// notSeen is no object's generation.
const notSeen = -1

// judge brings what is in force in line with the network as the API has it.
func (n *network) judge(network *v1alpha1.L2Network, cluster Cluster) {
	if n.known && n.uid == network.UID && n.generation == network.Generation {
		n.follow(network)
		return
	}
	if n.known && n.uid == network.UID && n.generation > network.Generation {
		return // it was read before the change that another has acted on
	}
	if !n.known || n.uid != network.UID {
		n.begin(network)
	}
	if !n.opened && n.inForce != nil {
		n.follow(network)
		return // what is on record counts when another spec is judged
	}
	n.generation, n.stranded = network.Generation, nil
	err := cluster.judge(n.inForce, network)
	if err == nil {
		wanted, _ := ipamConfig(network.Spec.IPAM) // judged
		err = n.pool.Configure(wanted)
	}
	n.refused = err
	if stranded, is := errors.AsType[*ipam.StrandedError](err); is {
		n.stranded = stranded
		n.refused = Refuse(v1alpha1.NetworkInvalid(err))
	}
	if err == nil && (n.inForce == nil || !sameSpec(n.inForce, network)) {
		n.inForce = essence(network)
		n.version++
	}
	n.follow(network)
}

// begin starts a life of the network with what its status says is in force.
// What was held on one of its name before is held still.
func (n *network) begin(network *v1alpha1.L2Network) {
	n.known, n.opened, n.uid, n.refused, n.stranded = true, false, network.UID, nil, nil
	n.generation = notSeen
	if n.inForce = network.InForce(); n.inForce != nil {
		n.inForce = essence(n.inForce)
	}
	n.version++
	held := n.pool
	n.pool = ipam.NewPool()
	for _, owner := range held.Owners() {
		lease, _ := held.Lease(owner)
		_ = n.pool.Hold(owner, lease) // a pool holds what another held
	}
	if n.inForce == nil {
		return
	}
	if config, err := ipamConfig(n.inForce.Spec.IPAM); err != nil || n.pool.Configure(config) != nil {
		n.inForce = nil // a status that can't be read puts nothing in force; the spec is judged
	}
}

// essence is what is kept of a network while it is in force: of thousands, their
// statuses and labels would double what a cache has of them.
func essence(network *v1alpha1.L2Network) *v1alpha1.L2Network {
	kept := &v1alpha1.L2Network{Spec: network.Spec}
	kept.Namespace, kept.Name, kept.UID = network.Namespace, network.Name, network.UID
	kept.Generation, kept.DeletionTimestamp = network.Generation, network.DeletionTimestamp
	return kept
}

// follow takes over what changes of a network without its spec.
func (n *network) follow(network *v1alpha1.L2Network) {
	if n.inForce == nil || n.inForce.DeletionTimestamp.Equal(network.DeletionTimestamp) {
		return
	}
	inForce := *n.inForce
	inForce.DeletionTimestamp = network.DeletionTimestamp
	n.inForce = &inForce
	n.version++
}

func sameSpec(a, b *v1alpha1.L2Network) bool {
	return a.UID == b.UID && equality.Semantic.DeepEqual(a.Spec, b.Spec)
}
