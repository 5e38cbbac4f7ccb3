package peers

import (
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// SetDefinition notes a NetworkAttachmentDefinition as it is now. theirs says that it
// is one of OVN-Kubernetes'.
func (i *Index) SetDefinition(key types.NamespacedName, subnets []netip.Prefix, theirs bool) []types.NamespacedName {
	i.mu.Lock()
	defer i.mu.Unlock()
	was, had := i.definitions[key]
	if had == theirs && slices.Equal(was, subnets) {
		return nil
	}
	affected := append(i.meets(key.Namespace, was), i.meets(key.Namespace, subnets)...)
	for at := range spansOf(key, was, true) {
		i.theirSpans.Delete(at)
	}
	delete(i.definitions, key)
	if theirs {
		i.definitions[key] = subnets
		for at := range spansOf(key, subnets, true) {
			i.theirSpans.ReplaceOrInsert(at)
		}
	}
	return append(affected, i.has(key)...)
}

// SetNamespaced notes whether there is a UserDefinedNetwork.
func (i *Index) SetNamespaced(key types.NamespacedName, is bool) []types.NamespacedName {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.namespaced, key)
	if is {
		i.namespaced[key] = struct{}{}
	}
	return i.has(key)
}

// SetClusterWide notes a ClusterUserDefinedNetwork and which namespaces it selects, nil
// where it is gone.
func (i *Index) SetClusterWide(name string, selects labels.Selector) []types.NamespacedName {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.cluster, name)
	if selects != nil {
		i.cluster[name] = selects
	}
	var affected []types.NamespacedName
	i.named.AscendGreaterOrEqual(types.NamespacedName{Name: name}, func(key types.NamespacedName) bool {
		if key.Name == name {
			affected = append(affected, key)
		}
		return key.Name == name
	})
	return affected
}

// Relabelled are those of ours that may meet another one after a namespace has got
// other labels.
func (i *Index) Relabelled(namespace string) []types.NamespacedName {
	i.mu.Lock()
	defer i.mu.Unlock()
	var affected []types.NamespacedName
	for name := range i.cluster {
		affected = append(affected, i.has(types.NamespacedName{Namespace: namespace, Name: name})...)
	}
	i.theirSpans.AscendGreaterOrEqual(span{scope: namespace}, func(at span) bool {
		if at.scope != namespace {
			return false
		}
		for ours := range i.ourSpans.overlapping(everywhere, at.subnet) {
			affected = append(affected, ours.key)
		}
		return true
	})
	return affected
}

// meets are those of ours that overlap a definition in the namespace, or would if
// they let its pods in.
func (i *Index) meets(namespace string, subnets []netip.Prefix) []types.NamespacedName {
	var all []types.NamespacedName
	for _, subnet := range subnets {
		for _, scope := range []string{namespace, everywhere} {
			for at := range i.ourSpans.overlapping(scope, subnet) {
				all = append(all, at.key)
			}
		}
	}
	return all
}

func (i *Index) has(key types.NamespacedName) []types.NamespacedName {
	if _, has := i.ours[key]; has {
		return []types.NamespacedName{key}
	}
	return nil
}
