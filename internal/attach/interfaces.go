package attach

import (
	"fmt"
	"slices"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"

	"l2sm.io/l2sm/internal/excerpt"
)

// reserved belong to the pod and to its cluster network, or mean something else
// to the kernel: all and default are not one interface's settings in
// /proc/sys/net, bonding_masters is a file beside the interfaces in sysfs.
var reserved = []string{"lo", "eth0", ".", "..", "all", "default", "bonding_masters"}

// maxAssigned is how many names of the form netN are tried for an interface
// that may have any.
const maxAssigned = 256

// multus is what Multus calls the interfaces of its annotation's entries.
type multus struct {
	// names has one for every entry: the one it asks for, or net1, net2, ... by
	// its place.
	names []string
	// held are the names of all entries but ours.
	held []string
	// holders are the places of the entries in held that have a name.
	holders map[string][]int
	// ours is the index of l2sm-system/l2sm, or the number of entries where it
	// is missing: then our interfaces follow all others.
	ours int
}

func multusNames(list []multusEntry) multus {
	m := multus{ours: len(list), holders: map[string][]int{}}
	for i, e := range list {
		name := e.Interface
		if name == "" {
			name = fmt.Sprintf("net%d", i+1)
		}
		m.names = append(m.names, name)
		if e.isPodNetworks() {
			m.ours = i
			continue
		}
		m.held = append(m.held, name)
		m.holders[name] = append(m.holders[name], i)
	}
	return m
}

func (m multus) of(i int) string { return m.names[i] }

// taken says whether an entry that is not ours holds the name.
func (m multus) taken(name string) bool { return len(m.holders[name]) > 0 }

// shared is an error where another entry has the same name as entry i.
func (m multus) shared(i int) error {
	name := m.names[i]
	holders := m.holders[name]
	if len(holders) < 2 {
		return nil
	}
	return fmt.Errorf("entries %d and %d both ask for interface %s: give one of them another, such as @data0", holders[0]+1, holders[1]+1, excerpt.Quote(name))
}

// assign gives every request without one its interface name: netN from our
// entry's place on, skipping the names that are held.
func assign(requests []Request, m multus) error {
	asked := map[string]int{}
	for i, r := range requests {
		if r.Interface == "" {
			continue
		}
		if first, twice := asked[r.Interface]; twice {
			return fmt.Errorf("entries %d and %d: interface %q is asked for twice", first+1, i+1, r.Interface)
		}
		if m.taken(r.Interface) {
			return fmt.Errorf("entry %d: interface %q is held by an entry of %s", i+1, r.Interface, nadv1.NetworkAttachmentAnnot)
		}
		asked[r.Interface] = i
	}
	next := m.ours
	for i := range requests {
		if requests[i].Interface != "" {
			continue
		}
		for free := false; !free; {
			next++
			requests[i].Interface = fmt.Sprintf("net%d", next)
			_, other := asked[requests[i].Interface]
			free = !other && !m.taken(requests[i].Interface)
		}
	}
	return nil
}

// FreeInterface is the request's interface name, or, where the pod has another
// interface of that name and the request leaves the choice, the next that it
// has not, among net1 to net256.
func FreeInterface(r Request, taken func(name string) bool) (string, bool) {
	if !taken(r.Interface) {
		return r.Interface, true
	}
	if r.Fixed {
		return "", false
	}
	for n := 1; n <= maxAssigned; n++ {
		if name := fmt.Sprintf("net%d", n); !taken(name) {
			return name, true
		}
	}
	return "", false
}

// checkInterface says whether Linux and the pod can take the name: 15 bytes and
// no slash, colon or white space (dev_valid_name in net/core/dev.c), no percent,
// which the kernel takes for a template, and ASCII, since it counts bytes and
// takes some bytes of other characters for white space.
func checkInterface(name string) error {
	if len(name) > 15 {
		return fmt.Errorf("interface %s has %d bytes; Linux takes 15", excerpt.Quote(name), len(name))
	}
	bad := func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("/:%", c) }
	if strings.ContainsFunc(name, bad) {
		return fmt.Errorf("interface %s: want ASCII characters without white space, slash, colon and percent", excerpt.Quote(name))
	}
	if slices.Contains(reserved, name) {
		return fmt.Errorf("interface %q belongs to the pod and its cluster network, or to the kernel; take another name", name)
	}
	return nil
}
