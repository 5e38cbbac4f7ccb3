package controllers

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/attach"
)

// interfaceNames remembers which interface names were given to whom in each
// pod, until a cache shows it: many attachments of one pod may be named at the
// same time.
type interfaceNames struct {
	mu    sync.Mutex
	given map[types.UID]map[string]string // pod, name: owner
}

// choose is the interface's name that a request gets in a pod: none of those
// that are taken, or given to another owner. It is one that the owner was given
// before, until that is taken or freed.
func (n *interfaceNames) choose(pod types.UID, owner string, r attach.Request, taken map[string]bool) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	given := n.given[pod]
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] == owner && !r.Fixed && !taken[name] {
			return name, true
		}
	}
	name, free := attach.FreeInterface(r, func(name string) bool {
		holder, is := given[name]
		return taken[name] || is && holder != owner
	})
	if !free {
		return "", false
	}
	if given == nil {
		given = map[string]string{}
		if n.given == nil {
			n.given = map[types.UID]map[string]string{}
		}
		n.given[pod] = given
	}
	given[name] = owner
	return name, true
}

// served says whether anybody was given a name in the pod, be it free by now.
func (n *interfaceNames) served(pod types.UID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, was := n.given[pod]
	return was
}

// free gives a name back: whoever had it is gone.
func (n *interfaceNames) free(pod types.UID, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.given[pod], name)
}

// forget is free for all names of a pod.
func (n *interfaceNames) forget(pod types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.given, pod)
}
