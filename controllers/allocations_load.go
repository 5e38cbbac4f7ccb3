package controllers

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/ipam"
)

// load takes every address that the API records, once.
func (a *Allocations) load(ctx context.Context) error {
	if a.networks != nil {
		return nil
	}
	list := &v1alpha1.L2AttachmentList{}
	if err := a.live.List(ctx, list); err != nil {
		return fmt.Errorf("read all attachments: %w", err)
	}
	a.networks = map[types.NamespacedName]*networkPool{}
	a.holders = map[types.NamespacedName]holder{}
	sorted := a.byPrecedence(ctx, list.Items)
	for _, attachment := range sorted {
		a.take(admission.LeaseNetwork(attachment), attachment)
	}
	// What moves takes the address that it asks for on its new network, before
	// anybody else can.
	for _, attachment := range sorted {
		if admission.LeaseNetwork(attachment) != attachment.NetworkKey() {
			a.take(attachment.NetworkKey(), attachment)
		}
	}
	return nil
}

// take holds what the attachment records on a network. What can't be read, or
// is taken by one of higher precedence, is refused by the attachment's own
// reconcile.
func (a *Allocations) take(network types.NamespacedName, attachment *v1alpha1.L2Attachment) {
	lease, err := leaseOf(attachment)
	if err != nil {
		return
	}
	pool := a.networks[network]
	if pool == nil {
		pool = &networkPool{Pool: ipam.NewPool()}
		a.networks[network] = pool
	}
	owner := client.ObjectKeyFromObject(attachment)
	if pool.Hold(owner.String(), lease) != nil {
		return
	}
	h := a.holders[owner].on(network)
	h.pod, h.uid = attachment.PodKey(), attachment.UID
	a.holders[owner] = h
}

// byPrecedence puts those attachments first whose lease the controller has
// granted, so that what was refused, or is forged, never takes the address of an
// honest one, and of these the older first.
func (a *Allocations) byPrecedence(ctx context.Context, all []v1alpha1.L2Attachment) []*v1alpha1.L2Attachment {
	rank := map[types.UID]int{}
	sorted := make([]*v1alpha1.L2Attachment, 0, len(all))
	for i := range all {
		rank[all[i].UID] = a.rank(ctx, &all[i])
		sorted = append(sorted, &all[i])
	}
	slices.SortFunc(sorted, func(x, y *v1alpha1.L2Attachment) int {
		return cmp.Or(
			cmp.Compare(rank[x.UID], rank[y.UID]),
			x.CreationTimestamp.Compare(y.CreationTimestamp.Time),
			cmp.Compare(x.Namespace+"/"+x.Name, y.Namespace+"/"+y.Name),
		)
	})
	return sorted
}

func (a *Allocations) rank(ctx context.Context, attachment *v1alpha1.L2Attachment) int {
	const granted, asking, forged = 0, 1, 2
	pod := &corev1.Pod{}
	bound := a.cached.Get(ctx, attachment.PodKey(), pod) == nil && checkBinding(attachment, pod) == nil
	userMade := attach.UserMade(attachment)
	switch {
	case !bound && (!userMade || attachment.Bound()):
		return forged
	case userMade && !meta.IsStatusConditionTrue(attachment.Status.Conditions, v1alpha1.ConditionAccepted):
		return asking // it may be the user who wrote the addresses
	default:
		return granted
	}
}

// pool is the network's pool with the network's ipam in force, or, where that
// can't be, with the one before.
func (a *Allocations) pool(ctx context.Context, network *v1alpha1.L2Network) (*networkPool, error) {
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	key := client.ObjectKeyFromObject(network)
	pool := a.networks[key]
	if pool == nil || pool.uid != network.UID {
		fresh, err := newPool(network, pool)
		if err != nil {
			return nil, err
		}
		pool, a.networks[key] = fresh, fresh
	}
	if pool.generation == network.Generation && pool.notInForce == nil {
		return pool, nil
	}
	pool.generation = network.Generation
	wanted, err := ipamConfig(network.Spec.IPAM)
	if err == nil {
		err = pool.Configure(wanted)
	}
	pool.notInForce = err
	return pool, nil
}

// notSeen is no object's generation.
const notSeen = -1

// newPool is a pool for this life of the network, with what was held on the
// network of its name and with the ipam that its status says was in force.
func newPool(network *v1alpha1.L2Network, before *networkPool) (*networkPool, error) {
	pool := &networkPool{Pool: ipam.NewPool(), uid: network.UID, generation: notSeen}
	if before != nil {
		for _, owner := range before.Owners() {
			lease, _ := before.Lease(owner)
			if err := pool.Hold(owner, lease); err != nil {
				return nil, fmt.Errorf("keep what %q has: %w", owner, err)
			}
		}
	}
	if network.Spec.IPAM == nil || network.Status.IPAM == nil {
		return pool, nil
	}
	inForce, err := ipam.ParseConfig(network.Spec.IPAM.Subnets, network.Status.IPAM.Ranges, network.Status.IPAM.Excluded)
	if err != nil {
		return pool, nil //nolint:nilerr // a status that can't be read puts nothing into force; the spec follows
	}
	return pool, pool.Configure(inForce)
}

func ipamConfig(i *v1alpha1.IPAM) (ipam.Config, error) {
	if i == nil {
		return ipam.Config{}, nil
	}
	return ipam.ParseConfig(i.Subnets, i.Ranges, i.Excluded)
}

// leaseOf reads the lease that a complete attachment records.
func leaseOf(attachment *v1alpha1.L2Attachment) (ipam.Lease, error) {
	mac, err := ipam.ParseMAC(attachment.Spec.MACAddress)
	if err != nil {
		return ipam.Lease{}, err
	}
	lease := ipam.Lease{MAC: mac}
	for _, text := range attachment.Spec.Addresses {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return ipam.Lease{}, fmt.Errorf("parse address %q: %w", text, err)
		}
		lease.Addresses = append(lease.Addresses, p)
	}
	return lease, nil
}

func same(a, b ipam.Lease) bool { return a.MAC == b.MAC && slices.Equal(a.Addresses, b.Addresses) }
