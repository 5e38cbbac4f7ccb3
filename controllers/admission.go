package controllers

import (
	"context"
	"fmt"

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
func (a *Admission) Grant(ctx context.Context, owner types.NamespacedName, uid types.UID, pod types.NamespacedName, request attach.Request) (ipam.Lease, error) {
	network, err := a.network(ctx, request.Network)
	if err != nil {
		return ipam.Lease{}, err
	}
	if err := a.mayUse(ctx, network, pod.Namespace); err != nil {
		return ipam.Lease{}, err
	}
	if err := mayJoin(network, request.PortSecurity, a.UnderlayMTU); err != nil {
		return ipam.Lease{}, err
	}
	asked, err := ipamRequest(request)
	if err != nil {
		return ipam.Lease{}, err
	}
	return a.Allocations.Grant(ctx, network, owner, pod, uid, asked)
}

// Accept says whether an attachment has what it asks for on the network that
// it names: nil, or a refusal. The pod is nil where none has the attachment's
// name.
func (a *Admission) Accept(ctx context.Context, attachment *v1alpha1.L2Attachment, pod *corev1.Pod) error {
	if err := mayHavePort(attachment, pod); err != nil {
		return err
	}
	network, err := a.network(ctx, attachment.NetworkKey())
	if err != nil {
		return err
	}
	return a.acceptOn(ctx, network, attachment)
}

// Stays is the network that an attachment's port is left on whose move to
// another is refused: nil for none.
func (a *Admission) Stays(ctx context.Context, attachment *v1alpha1.L2Attachment, pod *corev1.Pod) (*v1alpha1.L2Network, error) {
	on, has := attachment.PortNetwork()
	if !has || on == attachment.NetworkKey() || !attachment.Bound() || mayHavePort(attachment, pod) != nil {
		return nil, nil
	}
	network, err := a.network(ctx, on)
	if err == nil {
		err = a.acceptOn(ctx, network, attachment)
	}
	if _, refused := asRefusal(err); refused {
		return nil, nil
	}
	return network, err
}

// acceptOn is Accept for an attachment whose binding is true, on a network that
// it names or is on.
func (a *Admission) acceptOn(ctx context.Context, network *v1alpha1.L2Network, attachment *v1alpha1.L2Attachment) error {
	if err := a.mayUse(ctx, network, attachment.Namespace); err != nil {
		return err
	}
	if network.Spec.IPAM != nil && len(attachment.Spec.Addresses) == 0 {
		return refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, "no address is assigned yet"))
	}
	member, err := a.Allocations.Member(ctx, client.ObjectKeyFromObject(network), attachment)
	if err != nil {
		return err
	}
	if !member {
		if err := mayJoin(network, attachment.Spec.PortSecurity, a.UnderlayMTU); err != nil {
			return err
		}
	}
	return a.Allocations.Adopt(ctx, network, attachment)
}

// mayUse says whether the network lets pods of the namespace in.
func (a *Admission) mayUse(ctx context.Context, network *v1alpha1.L2Network, namespace string) error {
	detaches, err := a.Detaches(ctx, network)
	if err != nil {
		return err
	}
	if detaches {
		return refuse(v1alpha1.NetworkDetached(client.ObjectKeyFromObject(network)))
	}
	labels, err := a.namespaceLabels(ctx, network, namespace)
	if err != nil {
		return err
	}
	return mayUse(network, namespace, labels)
}

// Detaches says whether the network goes with its namespace, and does not wait
// for the attachments that it has.
func (a *Admission) Detaches(ctx context.Context, network *v1alpha1.L2Network) (bool, error) {
	if network.DeletionTimestamp.IsZero() {
		return false, nil
	}
	namespace, err := a.namespace(ctx, network.Namespace)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}

// Pod reads the pod that an attachment names, nil where there is none. It asks
// the API itself before it says that a binding is false: a cache may lag.
func (a *Admission) Pod(ctx context.Context, attachment *v1alpha1.L2Attachment) (*corev1.Pod, error) {
	key, pod := attachment.PodKey(), &corev1.Pod{}
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

// Alive says whether a pod of the cache still is. One that has started, or was
// served, had its attachments made before: where they are missing, they may
// have gone with it, and the cache has yet to hear of its end. Then the API
// itself is asked.
func (a *Admission) Alive(ctx context.Context, pod *corev1.Pod, served bool) (bool, error) {
	if pod.Status.Phase != corev1.PodRunning && !served {
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
	namespace, err := a.namespace(ctx, name)
	if err != nil {
		return nil, err
	}
	return namespace.Labels, nil
}

func (a *Admission) namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := a.Cached.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return nil, fmt.Errorf("get namespace %q: %w", name, err)
	}
	return namespace, nil
}
