package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/internal/overlap"
)

// clusterRanges are the addresses that the cluster itself uses, as far as its API
// tells: those of Services, of pods on the cluster's own network, and of nodes.
type clusterRanges struct {
	cached client.Reader
	mapper meta.RESTMapper
	// reading has one read at a time, so that the last one is of the newest state.
	reading sync.Mutex
	index   atomic.Pointer[overlap.Index]
	// services says that the API serves ServiceCIDRs.
	services atomic.Bool
}

func newClusterRanges(cached client.Reader, mapper meta.RESTMapper) *clusterRanges {
	c := &clusterRanges{cached: cached, mapper: mapper}
	c.index.Store(overlap.NewIndex(nil))
	return c
}

// now are the ranges that were read last.
func (c *clusterRanges) now() *overlap.Index { return c.index.Load() }

// read brings them up to date. It waits for the caches.
func (c *clusterRanges) read(ctx context.Context) error {
	c.reading.Lock()
	defer c.reading.Unlock()
	nodes := &corev1.NodeList{}
	if err := c.cached.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	var ranges []overlap.Range
	for i := range nodes.Items {
		ranges = append(ranges, nodeRanges(&nodes.Items[i])...)
	}
	services, err := c.serviceCIDRs(ctx)
	if err != nil {
		return err
	}
	for i := range services {
		ranges = append(ranges, serviceRanges(&services[i])...)
	}
	if index := overlap.NewIndex(ranges); !index.Equal(c.now()) {
		c.index.Store(index)
	}
	return nil
}

// serviceCIDRs are none where the API does not serve the kind: before Kubernetes
// 1.33. A cache asked for such a kind would ask the API while others wait.
func (c *clusterRanges) serviceCIDRs(ctx context.Context) ([]networkingv1.ServiceCIDR, error) {
	if !c.services.Load() {
		kind := networkingv1.SchemeGroupVersion.WithKind("ServiceCIDR")
		_, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("ask the API for ServiceCIDRs: %w", err)
		}
		c.services.Store(true)
	}
	list := &networkingv1.ServiceCIDRList{}
	if err := c.cached.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ServiceCIDRs: %w", err)
	}
	return list.Items, nil
}

// maxNodeRanges is how many ranges of pods, and addresses, are kept of one node:
// the API bounds the first to one of each family, and the second not at all.
const maxNodeRanges = 16

// nodeRanges are those of a node, as the cache has it, and of its pods. What
// can't be read is left out.
func nodeRanges(node *corev1.Node) []overlap.Range {
	var ranges []overlap.Range
	for _, cidr := range node.Spec.PodCIDRs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			ranges = append(ranges, overlap.Range{Kind: overlap.Pods, Prefix: prefix.Masked(), Object: node.Name})
		}
	}
	for _, a := range node.Status.Addresses {
		if addr, err := netip.ParseAddr(a.Address); err == nil {
			addr = addr.Unmap()
			ranges = append(ranges, overlap.Range{Kind: overlap.Nodes, Prefix: netip.PrefixFrom(addr, addr.BitLen()), Object: node.Name})
		}
	}
	return ranges
}

func serviceRanges(services *networkingv1.ServiceCIDR) []overlap.Range {
	var ranges []overlap.Range
	for _, cidr := range services.Spec.CIDRs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			ranges = append(ranges, overlap.Range{Kind: overlap.Services, Prefix: prefix.Masked(), Object: services.Name})
		}
	}
	return ranges
}
