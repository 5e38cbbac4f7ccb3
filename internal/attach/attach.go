// Package attach reads what a pod asks for: its annotations become the list
// of interfaces that it is to have, with their names. The controller makes
// L2Attachments of it and the node agent waits for exactly those, so both call
// Parse and both get the same answer.
//
//	l2sm.io/networks: ping-network, other-ns/lab, third@net7
//	l2sm.io/networks: '[{"name": "ping-network", "namespace": "default",
//	    "ips": ["10.101.2.10/16"], "mac": "0a:58:00:00:00:01",
//	    "interface": "net5", "portSecurity": "MAC", "roles": ["Router"]}]'
//
// Annotations are any user's text: no form of it panics, what is done with it
// grows with its length, and messages that repeat it are bounded.
package attach

import (
	"fmt"
	"net/netip"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// MaxEntries is how many interfaces a pod may ask for, over all its
// annotations together. The entry of l2sm-system/l2sm, which the admission
// policy adds to the Multus annotation, does not count.
const MaxEntries = 64

// Request is one interface that a pod asks for.
type Request struct {
	// Network to attach to.
	Network types.NamespacedName
	// Interface is the interface's name in the pod.
	Interface string
	// Fixed says that the interface's name was asked for: no other will do.
	Fixed bool
	// Placed says that Multus names the interface by the entry's place, as net2
	// for the second. Places shift when other entries come and go: the attachment
	// of an entry keeps the interface that it has.
	Placed bool
	// IPs asked for, at most one of each family. A prefix length that the pod
	// did not give is that of a single address (32, 128) and HasPrefix says so.
	IPs []IP
	// MAC asked for, in lower case; empty when any will do.
	MAC string
	// PortSecurity asked for; empty for the network's own.
	PortSecurity v1alpha1.PortSecurity
	// Roles asked for, in order, each once.
	Roles []v1alpha1.Role
	// Entry is the annotation's entry in canonical form: equal entries ask for
	// the same.
	Entry string
	// Err is a *SyntaxError that says why an entry of the Multus annotation can
	// be no interface of ours: it asks for what l2sm does not support, holds
	// what can't be read, or has another entry's interface name. It matters where
	// the entry is ours: other plugins may well serve it. Network and Interface
	// are set nonetheless, all else is not. See Ours.
	Err error
}

// IP is an address that a pod asks for.
type IP struct {
	netip.Prefix
	// HasPrefix says whether the pod gave a prefix length.
	HasPrefix bool
}

// Requests are all interfaces that a pod asks for.
type Requests struct {
	// Own are those of our annotations. The one ADD of
	// NetworkAttachmentDefinition l2sm-system/l2sm wires them all.
	Own []Request
	// Multus are the entries of the Multus annotation but for l2sm-system/l2sm
	// and those whose name no L2Network can have. They are ours where the
	// NetworkAttachmentDefinition of that name is one that the controller keeps
	// for an L2Network.
	Multus []Request
	// Held are the names that Multus' entries have, ours included where they
	// name a NetworkAttachmentDefinition that the controller keeps.
	Held []string
}

// SyntaxError is a pod's annotation that can't be read. It stays so until the
// pod is replaced, so nothing is retried.
type SyntaxError struct {
	// Annotation is the annotation's key.
	Annotation string
	// Err says what is wrong and where.
	Err error
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("annotation %s: %v", e.Annotation, e.Err) }

func (e *SyntaxError) Unwrap() error { return e.Err }

// Parse reads a pod's annotations. Every error is a *SyntaxError.
func Parse(pod *corev1.Pod) (Requests, error) {
	theirs, err := multusEntries(pod.Annotations[nadv1.NetworkAttachmentAnnot], pod.Namespace)
	if err != nil {
		return Requests{}, &SyntaxError{nadv1.NetworkAttachmentAnnot, err}
	}
	key, text, err := ownAnnotation(pod.Annotations)
	if err != nil {
		return Requests{}, &SyntaxError{key, err}
	}
	own, err := entries(text, pod.Namespace)
	if err != nil {
		return Requests{}, &SyntaxError{key, err}
	}
	names := multusNames(theirs)
	if len(own)+len(names.held) > MaxEntries {
		return Requests{}, &SyntaxError{key, fmt.Errorf("together with those of %s: %w", nadv1.NetworkAttachmentAnnot, errTooMany)}
	}
	if err := assign(own, names); err != nil {
		return Requests{}, &SyntaxError{key, err}
	}
	return Requests{Own: own, Multus: multusRequests(theirs, names), Held: names.held}, nil
}

// Ended says whether the pod has run to its end: it needs no interface any
// more, whatever its node still has of it.
func Ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// Asks says whether the pod carries one of our annotations.
func Asks(pod *corev1.Pod) bool {
	_, text, err := ownAnnotation(pod.Annotations)
	return text != "" || err != nil
}

func ownAnnotation(annotations map[string]string) (key, text string, err error) {
	ours, theirs := annotations[v1alpha1.NetworksAnnotation], annotations[v1alpha1.L2SMNetworksAnnotation]
	if ours != "" && theirs != "" && ours != theirs {
		return v1alpha1.NetworksAnnotation, "", fmt.Errorf("the pod also carries %s with another value; keep one of them", v1alpha1.L2SMNetworksAnnotation)
	}
	if ours == "" && theirs != "" {
		return v1alpha1.L2SMNetworksAnnotation, theirs, nil
	}
	return v1alpha1.NetworksAnnotation, ours, nil
}
