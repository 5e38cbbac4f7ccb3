// Package peers has the networks that OVN-Kubernetes keeps beside ours, as far as the
// two meet: by name, since both kinds are attached by a NetworkAttachmentDefinition of
// their name, and by addresses, where a pod may be on both.
//
// A UserDefinedNetwork makes a definition of its name in its namespace, and a
// ClusterUserDefinedNetwork one in each that it selects, with the subnets in the
// definition's config. So subnets are read there, and of the two kinds the names alone:
// where a definition of the name is ours, they make none.
package peers

import "k8s.io/apimachinery/pkg/runtime/schema"

// +kubebuilder:rbac:groups=k8s.ovn.org,resources=userdefinednetworks;clusteruserdefinednetworks,verbs=get;list;watch
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=userdefinednetworks.k8s.ovn.org;clusteruserdefinednetworks.k8s.ovn.org,verbs=get;list;watch

var group = schema.GroupVersion{Group: "k8s.ovn.org", Version: "v1"}

// OVN-Kubernetes' kinds, and the names of their CustomResourceDefinitions.
var (
	Namespaced  = group.WithKind("UserDefinedNetwork")
	ClusterWide = group.WithKind("ClusterUserDefinedNetwork")
)

const (
	NamespacedCRD  = "userdefinednetworks.k8s.ovn.org"
	ClusterWideCRD = "clusteruserdefinednetworks.k8s.ovn.org"
)
