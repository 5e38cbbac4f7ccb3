package zone

import "l2sm.io/l2sm/apis/v1alpha1"

// marksOf are what OVN-Kubernetes must find on our switches. At each of its starts
// it deletes those with other_config that have no such key, as stale nodes' (its
// syncNodes); those that have it and k8s.ovn.org/role it takes for its own.
func marksOf(f v1alpha1.Fabric) map[string]string {
	if f != v1alpha1.FabricOVNKubernetes {
		return nil
	}
	return map[string]string{"k8s.ovn.org/network": "l2sm"}
}
