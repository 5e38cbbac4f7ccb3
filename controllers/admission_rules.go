package controllers

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/ipam"
)

// mayHavePort says whether nothing about its pod speaks against an attachment:
// it is bound truly, or is a user's that waits for its pod.
func mayHavePort(attachment *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	if attach.UserMade(attachment) && !attachment.Bound() {
		return nil
	}
	return checkBinding(attachment, pod)
}

// checkBinding says whether the attachment belongs to a running life of a pod,
// and, where it was born of an annotation, to the pod that carries it.
func checkBinding(attachment *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	switch {
	case !attachment.Bound() || pod == nil || forged(attachment, pod):
		return refuse(v1alpha1.BindingMismatch(attachment))
	case ended(pod):
		return refuse(v1alpha1.PodEnded(pod.Name))
	case pod.Spec.HostNetwork:
		return refuse(v1alpha1.HostNetwork(pod.Name))
	case !attach.UserMade(attachment) && !attach.BornFrom(attachment, pod):
		return refuse(v1alpha1.EntryGone(pod.Name))
	default:
		return nil
	}
}

func forged(attachment *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	return attachment.Bound() && (pod.UID != attachment.Spec.PodUID || pod.Spec.NodeName != attachment.Spec.NodeName)
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// mayUse says whether the network lets pods of the namespace in, those that it
// has already included.
func mayUse(network *v1alpha1.L2Network, namespace string, namespaceLabels labels.Set) error {
	allowed := network.Spec.AllowedNamespaces
	switch allowed.From {
	case v1alpha1.NamespacesFromAll:
		return nil
	case v1alpha1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(allowed.Selector)
		if err == nil && selector.Matches(namespaceLabels) {
			return nil
		}
	default:
		if namespace == network.Namespace {
			return nil
		}
	}
	return refuse(v1alpha1.NotAllowed(client.ObjectKeyFromObject(network), namespace))
}

// mayJoin says whether the network takes one more, and as that one asks.
func mayJoin(network *v1alpha1.L2Network, security v1alpha1.PortSecurity, underlayMTU int32) error {
	key := client.ObjectKeyFromObject(network)
	if !network.DeletionTimestamp.IsZero() {
		return refuse(v1alpha1.NetworkGoing(key))
	}
	if c := specCondition(network, underlayMTU); c.Status == metav1.ConditionFalse {
		return refuse(v1alpha1.NetworkNotAccepted(key, c.Message))
	}
	override := security != "" && security != network.NetworkSecurity()
	if override && !network.Spec.AllowPortSecurityOverride {
		return refuse(v1alpha1.OverrideNotAllowed(key, security))
	}
	return nil
}

// specCondition is condition Accepted of a network, by its spec alone.
func specCondition(network *v1alpha1.L2Network, underlayMTU int32) metav1.Condition {
	if _, err := ipamConfig(network.Spec.IPAM); err != nil {
		return v1alpha1.NetworkInvalid(err)
	}
	if _, err := metav1.LabelSelectorAsSelector(network.Spec.AllowedNamespaces.Selector); err != nil {
		return v1alpha1.NetworkInvalid(fmt.Errorf("allowedNamespaces.selector: %w", err))
	}
	if most := v1alpha1.MaxMTU(underlayMTU); network.EffectiveMTU(underlayMTU) > most {
		return v1alpha1.MTUTooLarge(*network.Spec.MTU, most)
	}
	return v1alpha1.NetworkAccepted()
}

func ipamRequest(request attach.Request) (ipam.Request, error) {
	asked := ipam.Request{}
	if request.MAC != "" {
		mac, err := ipam.ParseMAC(request.MAC)
		if err != nil {
			return ipam.Request{}, refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
		}
		asked.MAC = mac
	}
	for _, ip := range request.IPs {
		if !ip.HasPrefix {
			ip.Prefix = netip.PrefixFrom(ip.Addr(), -1)
		}
		asked.Addresses = append(asked.Addresses, ip.Prefix)
	}
	return asked, nil
}
