package controllers

import (
	"context"
	"fmt"
	"slices"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/multus"
)

// statusFacts are what says which entries of a pod's network-status are ours.
type statusFacts struct {
	// attachments are those of this life of the pod, by their interface.
	attachments map[string]*v1alpha1.L2Attachment
	// all says that there is no Multus, and so no entry but ours.
	all bool
	// kept says of the definitions that entries name whether we keep them.
	kept map[types.NamespacedName]bool
	// asked are the entries of the pod's Multus annotation.
	asked map[wire]bool
}

// wire is what Multus calls a plugin for: a definition and an interface.
type wire struct {
	definition types.NamespacedName
	iface      string
}

func (r *NetworkStatusReconciler) gather(ctx context.Context, pod *corev1.Pod, stands []nadv1.NetworkStatus) (statusFacts, error) {
	list := &v1alpha1.L2AttachmentList{}
	if err := r.List(ctx, list, client.InNamespace(pod.Namespace), client.MatchingFields{podIndex: pod.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return statusFacts{}, fmt.Errorf("list attachments of pod %q: %w", client.ObjectKeyFromObject(pod), err)
	}
	facts := statusFacts{attachments: interfacesOf(pod, list.Items), all: r.First, kept: map[types.NamespacedName]bool{}}
	if facts.all {
		return facts, nil
	}
	for _, s := range stands {
		key, names := multus.StatusDefinition(s.Name)
		if _, known := facts.kept[key]; known || !names || s.Default || facts.attachments[s.Interface] != nil {
			continue
		}
		kept, err := keepsDefinition(ctx, r, key)
		if err != nil {
			return statusFacts{}, err
		}
		facts.kept[key] = kept
		if kept && facts.asked == nil {
			facts.asked = multusWires(pod)
		}
	}
	return facts, nil
}

// ours says whether an entry is ours to replace: its interface is that of an
// attachment, or was. What a definition of ours does not account for, since the
// pod asked for it before the definition was ours, is another plugin's work.
func (f statusFacts) ours(s nadv1.NetworkStatus) bool {
	if f.all || s.Name == multus.PodNetworks.String() || f.attachments[s.Interface] != nil {
		return true
	}
	key, names := multus.StatusDefinition(s.Name)
	return names && f.kept[key] && !f.asked[wire{key, s.Interface}]
}

// ready are the entries of the interfaces that are wired, in their order.
func (f statusFacts) ready() []nadv1.NetworkStatus {
	var all []nadv1.NetworkStatus
	for _, a := range f.attachments {
		if s, ready := multus.StatusEntry(a); ready {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b nadv1.NetworkStatus) int { return multus.CompareInterfaces(a.Interface, b.Interface) })
	return all
}
