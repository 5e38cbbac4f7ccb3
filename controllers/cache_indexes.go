package controllers

import (
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/compact"
	"l2sm.io/l2sm/internal/multus"
)

// Fields that the cache is indexed by, for lists with client.MatchingFields.
const (
	podIndex        = "spec.podName" // L2Attachments by their pod, in its namespace
	networkIndex    = "network"      // L2Attachments of all namespaces by the namespace/name of the networks that they name, and are on
	stretchIndex    = "stretch"      // L2Networks of all namespaces that go on in other clusters, or want to: see stretchIndexed, peerIndexed and idIndexed
	remoteIndex     = "remote"       // L2Remotes by their network, in its namespace
	definitionIndex = "multus"       // Pods of all namespaces by the NetworkAttachmentDefinitions that they name
)

// newInformer makes the cache's informer of a kind.
func newInformer(lw toolscache.ListerWatcher, kind runtime.Object, resync time.Duration, by toolscache.Indexers) toolscache.SharedIndexInformer {
	maps.Copy(by, indexes(kind))
	if _, pods := kind.(*corev1.Pod); pods {
		delete(by, toolscache.NamespaceIndex) // there may be many, and they are never listed in a namespace
	}
	return compact.Informer(toolscache.NewSharedIndexInformer(lw, kind, resync, by))
}

// indexes have the names and values by which controller-runtime looks a field
// up (pkg/cache/internal, FieldIndexName and KeyToNamespacedKey). Its IndexField
// indexes each value twice, for lists in one namespace and in all, and an index
// has a map of 300 bytes for each value.
func indexes(kind runtime.Object) toolscache.Indexers {
	switch kind.(type) {
	case *v1alpha1.L2Attachment:
		return toolscache.Indexers{"field:" + podIndex: byPod, "field:" + networkIndex: byNetwork}
	case *v1alpha1.L2Network:
		return toolscache.Indexers{"field:" + stretchIndex: byStretch}
	case *v1alpha1.L2Remote:
		return toolscache.Indexers{"field:" + remoteIndex: byRemote}
	case *corev1.Pod:
		return toolscache.Indexers{"field:" + definitionIndex: byDefinition}
	default:
		return nil
	}
}

const inAllNamespaces = "__all_namespaces/"

func byPod(object any) ([]string, error) {
	a, ok := object.(*keptAttachment)
	if !ok {
		return nil, nil
	}
	return []string{a.namespace.Value() + "/" + a.spec.PodName}, nil
}

func byNetwork(object any) ([]string, error) {
	kept, ok := object.(*keptAttachment)
	if !ok {
		return nil, nil
	}
	a := v1alpha1.L2Attachment{ObjectMeta: kept.expanded(), Spec: kept.spec, Status: kept.status}
	var all []string
	for _, network := range a.Networks() {
		all = append(all, inAllNamespaces+network.String())
	}
	return all, nil
}

func byRemote(object any) ([]string, error) {
	r, ok := object.(*keptRemote)
	if !ok {
		return nil, nil
	}
	return []string{r.namespace.Value() + "/" + r.network}, nil
}

func byDefinition(object any) ([]string, error) {
	kept, ok := object.(*keptPod)
	if !ok || len(kept.annotations) == 0 {
		return nil, nil
	}
	var all []string
	for _, definition := range multusNetworks(kept.Expand().(*corev1.Pod)) {
		all = append(all, inAllNamespaces+definition)
	}
	return all, nil
}

// multusNetworks are the definitions that a pod's annotations for Multus name.
func multusNetworks(pod *corev1.Pod) []string {
	var names []string
	if main, is := multus.MainNetwork(pod.Annotations[multus.MainNetworkAnnotation]); is {
		names = append(names, main.String())
	}
	requests, err := attach.Parse(pod)
	if err != nil {
		return names
	}
	for _, request := range requests.Multus {
		names = append(names, request.Network.String())
	}
	return names
}
