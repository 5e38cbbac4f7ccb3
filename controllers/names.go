package controllers

import (
	"cmp"
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
	mu   sync.Mutex
	pods map[types.UID]*podNames
}

// podNames are one pod's. Most pods have one: both lists are sorted by name.
type podNames struct {
	given []givenName
	// had are the names that our attachments have had in the pod, gone ones
	// included.
	had []string
	// served says that somebody was given a name, also if it is free by now.
	served bool
}

type givenName struct{ name, owner string }

// find is the place that the name has, or would have, among those given.
func (p *podNames) find(name string) (int, bool) {
	return slices.BinarySearchFunc(p.given, name, func(g givenName, name string) int { return cmp.Compare(g.name, name) })
}

func (p *podNames) give(name, owner string) {
	p.served = true
	i, is := p.find(name)
	if is {
		p.given[i].owner = owner
		return
	}
	p.given = slices.Insert(p.given, i, givenName{name, owner})
}

// isAnothers says whether the name is given to another owner.
func (p *podNames) isAnothers(name, owner string) bool {
	i, is := p.find(name)
	return is && p.given[i].owner != owner
}

func (n *interfaceNames) of(pod types.UID) *podNames {
	p := n.pods[pod]
	if p == nil {
		p = &podNames{}
		if n.pods == nil {
			n.pods = map[types.UID]*podNames{}
		}
		n.pods[pod] = p
	}
	return p
}

// choose is the interface's name that a request gets in a pod: none of those
// that are taken, or given to another owner. It is one that the owner was given
// before, until that is taken or freed.
func (n *interfaceNames) choose(pod types.UID, owner string, r attach.Request, taken map[string]bool) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.of(pod)
	for _, g := range p.given {
		if g.owner == owner && !r.Fixed && !taken[g.name] {
			return g.name, true
		}
	}
	name, free := attach.FreeInterface(r, func(name string) bool { return taken[name] || p.isAnothers(name, owner) })
	if free {
		p.give(name, owner)
	}
	return name, free
}

// entryOwner is who has the names that were given to an annotation's entry.
func entryOwner(entry string) string { return "entry " + entry }

// inherit gives an owner the names that another was given.
func (n *interfaceNames) inherit(pod types.UID, owner, from string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.pods[pod]
	if p == nil {
		return
	}
	for i := range p.given {
		if p.given[i].owner == from {
			p.given[i].owner = owner
		}
	}
}

// served says whether anybody was given a name in the pod, also if it is free by
// now.
func (n *interfaceNames) served(pod types.UID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.pods[pod]
	return p != nil && (p.served || len(p.had) > 0)
}

// note remembers that a pod has an interface of ours.
func (n *interfaceNames) note(pod types.UID, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.of(pod)
	if i, is := slices.BinarySearch(p.had, name); !is {
		p.had = slices.Insert(p.had, i, name)
	}
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
	if p := n.pods[pod]; p != nil {
		return setOf(p.had)
	}
	return nil
}

// free gives a name back: whoever had it is gone.
func (n *interfaceNames) free(pod types.UID, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.pods[pod]
	if p == nil {
		return
	}
	if i, is := p.find(name); is {
		p.given = slices.Delete(p.given, i, i+1)
	}
}

// forget is free for all names of a pod.
func (n *interfaceNames) forget(pod types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pods, pod)
}
