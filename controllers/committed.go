package controllers

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// committed remembers which attachments have their port in the northbound
// database, by the last commit of each network. It is written by the network's
// reconcile and read by the attachments', and empty after a start.
type committed struct {
	mu    sync.Mutex
	ports map[types.NamespacedName]map[types.NamespacedName]types.UID // network, attachment
}

func newCommitted() *committed {
	return &committed{ports: map[types.NamespacedName]map[types.NamespacedName]types.UID{}}
}

// set records a commit and returns the attachments for which it made a
// difference.
func (c *committed) set(network types.NamespacedName, attachments []*v1alpha1.L2Attachment) []types.NamespacedName {
	now := make(map[types.NamespacedName]types.UID, len(attachments))
	for _, a := range attachments {
		now[client.ObjectKeyFromObject(a)] = a.UID
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.ports[network]
	c.ports[network] = now
	if len(now) == 0 {
		delete(c.ports, network)
	}

	changed := map[types.NamespacedName]bool{}
	for key, uid := range now {
		changed[key] = before[key] != uid
	}
	for key := range before {
		if _, still := now[key]; !still {
			changed[key] = true
		}
	}
	maps.DeleteFunc(changed, func(_ types.NamespacedName, differs bool) bool { return !differs })
	return slices.Collect(maps.Keys(changed))
}

// has says whether the attachment's port is on the network's switch.
func (c *committed) has(network types.NamespacedName, a *v1alpha1.L2Attachment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	uid, ok := c.ports[network][client.ObjectKeyFromObject(a)]
	return ok && uid == a.UID
}
