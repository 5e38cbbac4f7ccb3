package controllers

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/ipam"
)

// Admission decides who may have a port on which network.
type Admission struct {
	// Cached reads networks, namespaces, pods.
	Cached client.Reader
	// Live reads from the API itself, where a cache's lag would do harm.
	Live        client.Reader
	Allocations *Allocations
	// UnderlayMTU is the cluster's, in bytes.
	UnderlayMTU int32
}

// Grant reserves MAC and addresses for what a pod asks for, under the name of
// the attachment that will record them. A refusal says why the pod must wait
// or ask for something else.
func (a *Admission) Grant(ctx context.Context, owner types.NamespacedName, uid types.UID, pod *corev1.Pod, request attach.Request) (ipam.Lease, error) {
	network, err := a.network(ctx, request.Network)
	if err != nil {
		return ipam.Lease{}, err
	}
	namespace, err := a.namespaceLabels(ctx, network, pod.Namespace)
	if err != nil {
		return ipam.Lease{}, err
	}
	if err := mayUse(network, pod.Namespace, namespace); err != nil {
		return ipam.Lease{}, err
	}
	if err := mayJoin(network, request, a.UnderlayMTU); err != nil {
		return ipam.Lease{}, err
	}
	asked, err := ipamRequest(request)
	if err != nil {
		return ipam.Lease{}, err
	}
	return a.Allocations.Grant(ctx, network, owner, client.ObjectKeyFromObject(pod), uid, asked)
}

// Accept says whether a complete attachment has its port: nil, or a refusal.
// The pod is nil where none has the attachment's name.
func (a *Admission) Accept(ctx context.Context, attachment *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	if err := checkBinding(attachment, pod); err != nil {
		return err
	}
	network, err := a.network(ctx, attachment.NetworkKey())
	if err != nil {
		return err
	}
	return a.acceptOn(ctx, network, attachment)
}

// acceptOn is Accept for an attachment whose binding is true.
func (a *Admission) acceptOn(ctx context.Context, network *v1alpha1.L2Network, attachment *v1alpha1.L2Attachment) error {
	namespace, err := a.namespaceLabels(ctx, network, attachment.Namespace)
	if err != nil {
		return err
	}
	if err := mayUse(network, attachment.Namespace, namespace); err != nil {
		return err
	}
	return a.Allocations.Adopt(ctx, network, attachment)
}

// Pod reads the pod that an attachment names, nil where there is none. It asks
// the API itself before it says that a binding is false: a cache may lag.
func (a *Admission) Pod(ctx context.Context, attachment *v1alpha1.L2Attachment) (*corev1.Pod, error) {
	key, pod := podOf(attachment), &corev1.Pod{}
	err := a.Cached.Get(ctx, key, pod)
	if err == nil && !forged(attachment, pod) {
		return pod, nil
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get pod %q: %w", key, err)
	}
	live := &corev1.Pod{}
	err = a.Live.Get(ctx, key, live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get pod %q: %w", key, err)
	}
	return live, nil
}

// Alive says whether a pod of the cache still is. One that has started had its
// attachments made before: where they are missing, they may have gone with it,
// and the cache has yet to hear of its end. Then the API itself is asked.
func (a *Admission) Alive(ctx context.Context, pod *corev1.Pod) (bool, error) {
	if pod.Status.Phase != corev1.PodRunning {
		return true, nil
	}
	key, live := client.ObjectKeyFromObject(pod), &corev1.Pod{}
	err := a.Live.Get(ctx, key, live)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get pod %q: %w", key, err)
	}
	return live.UID == pod.UID && live.DeletionTimestamp.IsZero(), nil
}

func (a *Admission) network(ctx context.Context, key types.NamespacedName) (*v1alpha1.L2Network, error) {
	network := &v1alpha1.L2Network{}
	err := a.Cached.Get(ctx, key, network)
	if apierrors.IsNotFound(err) {
		return nil, refuse(v1alpha1.NetworkNotFound(key))
	}
	if err != nil {
		return nil, fmt.Errorf("get network %q: %w", key, err)
	}
	return network, nil
}

// namespaceLabels reads the labels that the network selects namespaces by, if
// it does.
func (a *Admission) namespaceLabels(ctx context.Context, network *v1alpha1.L2Network, name string) (labels.Set, error) {
	if network.Spec.AllowedNamespaces.From != v1alpha1.NamespacesFromSelector {
		return nil, nil
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := a.Cached.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return nil, fmt.Errorf("get namespace %q: %w", name, err)
	}
	return namespace.Labels, nil
}

// checkBinding says whether the attachment belongs to a running life of a pod,
// and to one whose annotation asks for it.
func checkBinding(attachment *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	if !attachment.Bound() {
		return refuse(v1alpha1.EntryGone(attachment.Spec.PodName))
	}
	if pod == nil || forged(attachment, pod) {
		return refuse(v1alpha1.BindingMismatch(attachment))
	}
	if ended(pod) {
		return refuse(v1alpha1.PodEnded(pod.Name))
	}
	if !bornFrom(attachment, pod) {
		return refuse(v1alpha1.EntryGone(attachment.Spec.PodName))
	}
	return nil
}

func forged(attachment *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	return attachment.Bound() && (pod.UID != attachment.Spec.PodUID || pod.Spec.NodeName != attachment.Spec.NodeName)
}

// bornFrom says whether the attachment was made of this pod's annotation.
func bornFrom(attachment *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	return attachment.Annotations[v1alpha1.EntryAnnotation] != "" && metav1.IsControlledBy(attachment, pod)
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
func mayJoin(network *v1alpha1.L2Network, request attach.Request, underlayMTU int32) error {
	key := client.ObjectKeyFromObject(network)
	if !network.DeletionTimestamp.IsZero() {
		return refuse(v1alpha1.NetworkGoing(key))
	}
	if c := specCondition(network, underlayMTU); c.Status == metav1.ConditionFalse {
		return refuse(v1alpha1.NetworkNotAccepted(key, c.Message))
	}
	override := request.PortSecurity != "" && request.PortSecurity != networkSecurity(network)
	if override && !network.Spec.AllowPortSecurityOverride {
		return refuse(v1alpha1.OverrideNotAllowed(key, request.PortSecurity))
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
