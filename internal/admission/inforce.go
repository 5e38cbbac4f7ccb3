package admission

import (
	"errors"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	err := cluster.judge(n.object(), network)
	if err == nil {
		wanted, _ := ipamConfig(network.Spec.IPAM) // judged
		err = n.pool.Configure(wanted)
	}
	n.refused = err
	if stranded, is := errors.AsType[*ipam.StrandedError](err); is {
		n.stranded = stranded
		n.refused = Refuse(v1alpha1.NetworkInvalid(err))
	}
	if err == nil && (n.inForce == nil || !equality.Semantic.DeepEqual(n.inForce.spec, network.Spec)) {
		n.inForce = termsOf(network)
		n.version++
	}
	n.follow(network)
}

// begin starts a life of the network with what its status says is in force.
// What was held on one of its name before is held still.
func (n *network) begin(network *v1alpha1.L2Network) {
	n.known, n.opened, n.uid, n.refused, n.stranded = true, false, network.UID, nil, nil
	n.generation = notSeen
	n.inForce = termsOf(network.InForce())
	n.version++
	n.pool.Unconfigure()
	if n.inForce == nil {
		return
	}
	if config, err := ipamConfig(n.inForce.spec.IPAM); err != nil || n.pool.Configure(config) != nil {
		n.inForce = nil // a status that can't be read puts nothing in force; the spec is judged
	}
}

// terms are what is kept of a network while it is in force: of thousands, their
// metadata and statuses would double what a cache has of them. They are not
// changed.
type terms struct {
	spec    v1alpha1.L2NetworkSpec
	deleted *metav1.Time
}

func termsOf(network *v1alpha1.L2Network) *terms {
	if network == nil {
		return nil
	}
	return &terms{network.Spec, network.DeletionTimestamp}
}

// object is the network with its spec in force, nil for none. It is made each
// time that it is asked for.
func (n *network) object() *v1alpha1.L2Network {
	if n.inForce == nil {
		return nil
	}
	o := &v1alpha1.L2Network{Spec: n.inForce.spec}
	o.Namespace, o.Name, o.UID, o.DeletionTimestamp = n.key.Namespace, n.key.Name, n.uid, n.inForce.deleted
	return o
}

// follow takes over what changes of a network without its spec.
func (n *network) follow(network *v1alpha1.L2Network) {
	if n.inForce == nil || n.inForce.deleted.Equal(network.DeletionTimestamp) {
		return
	}
	n.inForce = &terms{n.inForce.spec, network.DeletionTimestamp}
	n.version++
}
