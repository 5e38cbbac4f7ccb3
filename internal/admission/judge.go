package admission

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// Judge says whether a network's spec, by itself, may come into force where pods
// may have the given MTU, in bytes, at most. The refusal is the network's condition
// Accepted.
func Judge(network *v1alpha1.L2Network, maxMTU int32) error {
	if _, err := ipamConfig(network.Spec.IPAM); err != nil {
		return Refuse(v1alpha1.NetworkInvalid(err))
	}
	if _, err := metav1.LabelSelectorAsSelector(network.Spec.AllowedNamespaces.Selector); err != nil {
		return Refuse(v1alpha1.NetworkInvalid(fmt.Errorf("allowedNamespaces.selector: %w", err)))
	}
	if mtu := network.EffectiveMTU(maxMTU); mtu > maxMTU {
		return Refuse(v1alpha1.MTUTooLarge(mtu, maxMTU))
	}
	return nil
}

func ipamConfig(i *v1alpha1.IPAM) (ipam.Config, error) {
	if i == nil {
		return ipam.Config{}, nil
	}
	return ipam.ParseConfig(i.Subnets, i.Ranges, i.Excluded)
}
