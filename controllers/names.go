package controllers

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
)

// interfaceNames remembers which interface names were given to whom in each
// pod, until a cache shows it: many attachments of one pod may be named at the
// same time.
type interfaceNames struct {
	mu    sync.Mutex
	given map[types.UID]map[string]string // pod, name: owner
	// had are the names that our attachments have had in each pod, gone ones
	// included.
	had map[types.UID]map[string]bool
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

// served says whether anybody was given a name in the pod, also if it is free by
// now.
func (n *interfaceNames) served(pod types.UID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, was := n.given[pod]
	return was || len(n.had[pod]) > 0
}

// note remembers that a pod has an interface of ours.
func (n *interfaceNames) note(pod types.UID, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.had == nil {
		n.had = map[types.UID]map[string]bool{}
	}
	if n.had[pod] == nil {
		n.had[pod] = map[string]bool{}
	}
	n.had[pod][name] = true
}

// seen are the interfaces of ours that the pod has, by its attachments, and has
// had since this process looks.
func (n *interfaceNames) seen(pod types.UID, attachments []v1alpha1.L2Attachment) map[string]bool {
	for i := range attachments {
		if a := &attachments[i]; a.Spec.PodUID == pod && a.Spec.Interface != "" {
			n.note(pod, a.Spec.Interface)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.had[pod])
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
	delete(n.had, pod)
}
