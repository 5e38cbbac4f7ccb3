package controllers

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Member says whether the attachment is on the network already, and need not
// ask to join it.
func (a *Allocations) Member(ctx context.Context, network types.NamespacedName, attachment *v1alpha1.L2Attachment) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return false, err
	}
	h, held := a.holders[client.ObjectKeyFromObject(attachment)]
	return held && h.settled == network && (h.uid == "" || h.uid == attachment.UID), nil
}

// Settle says that the attachments' ports are on the network: what they had on
// others is free. It returns those others.
func (a *Allocations) Settle(network types.NamespacedName, attachments []*v1alpha1.L2Attachment) []types.NamespacedName {
	a.mu.Lock()
	defer a.mu.Unlock()
	var left []types.NamespacedName
	for _, attachment := range attachments {
		owner := client.ObjectKeyFromObject(attachment)
		if h, held := a.holders[owner]; held && h.uid == attachment.UID && h.network == network {
			left = append(left, h.others...)
			a.releaseOn(owner, h.others)
			h.settled, h.others = network, nil
			a.holders[owner] = h
		}
	}
	return left
}

// Leave takes back what an attachment has on other networks than the one that
// it names: it has no port on any.
func (a *Allocations) Leave(attachment *v1alpha1.L2Attachment) []types.NamespacedName {
	a.mu.Lock()
	defer a.mu.Unlock()
	owner, names := client.ObjectKeyFromObject(attachment), attachment.NetworkKey()
	h, held := a.holders[owner]
	if !held || h.uid != attachment.UID || h.network == names && len(h.others) == 0 {
		return nil
	}
	h = h.on(names)
	left := h.others
	a.releaseOn(owner, left)
	h.others, h.settled = nil, names
	a.holders[owner] = h
	if _, has := a.networks[names].lease(owner); !has {
		delete(a.holders, owner)
	}
	return left
}

// Drop takes back all that is held on a network, which goes although it is in
// use.
func (a *Allocations) Drop(network types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.networks, network)
	for owner, h := range a.holders {
		h.others = slices.DeleteFunc(slices.Clone(h.others), func(o types.NamespacedName) bool { return o == network })
		a.holders[owner] = h
		if h.network == network {
			delete(a.holders, owner)
			a.releaseOn(owner, h.others)
		}
	}
}
