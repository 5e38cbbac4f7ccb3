package v1alpha1

// Annotations that pods carry.
const (
	// NetworksAnnotation asks for interfaces on L2Networks: a comma separated
	// list of names, or a JSON list. See internal/attach for the grammar.
	NetworksAnnotation = "l2sm.io/networks"
	// L2SMNetworksAnnotation is L2S-M's spelling of NetworksAnnotation, read
	// the same way.
	L2SMNetworksAnnotation = "l2sm/networks"
)

// EdgeLease is the Lease, in SystemNamespace, whose holder may be the active edge.
// Its holderIdentity is the name of the edge's node.
const EdgeLease = "l2sm-edge"

// EdgeNetworkName ties the edges' ports to the bridge that leads out of the cluster:
// the option network_name of ports of type l2gateway (ovn-nb(5)), and a key of
// ovn-bridge-mappings (ovn-controller(8)).
const EdgeNetworkName = "l2sm-edge"

// What the controller writes on the objects that it makes.
const (
	// EntryAnnotation, on an L2Attachment, is the pod's annotation entry that
	// the attachment was born from, in canonical form.
	EntryAnnotation = "l2sm.io/entry"
	// PersistentAnnotation, on an L2Attachment that a user made, says that the
	// controller has bound it to pods of its name, one after the other: its
	// podUID is not what it was created for.
	PersistentAnnotation = "l2sm.io/persistent"
	// ManagedByLabel marks objects that the controller keeps, with the value
	// ManagedBy.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is ManagedByLabel's value.
	ManagedBy = "l2sm"
	// NetworkFinalizer keeps an L2Network until its last attachment is gone
	// and its logical switch is removed.
	NetworkFinalizer = "l2sm.io/network"
)

// The NetworkAttachmentDefinition whose one ADD wires all the interfaces of a
// pod that carries NetworksAnnotation.
const (
	SystemNamespace = "l2sm-system"
	PodNetworksNAD  = "l2sm"
	// CNIType is the CNI plugin's name: its file in the CNI bin directory.
	CNIType = "l2sm"
)
