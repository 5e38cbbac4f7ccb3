package attach

import (
	"fmt"
	"slices"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
)

// reserved belong to the pod and to its cluster network.
var reserved = []string{"lo", "eth0", ".", ".."}

// multus is what Multus calls the interfaces of its annotation's entries.
type multus struct {
	// held has a name for every entry: the one it asks for, or net1, net2, ...
	// by its position.
	held []string
	// ours is the index of l2sm-system/l2sm, or the number of entries where it
	// is missing: then our interfaces follow all others.
	ours int
}

func multusNames(entries []*nadv1.NetworkSelectionElement) multus {
	m := multus{ours: len(entries)}
	for i, e := range entries {
		name := e.InterfaceRequest
		if name == "" {
			name = fmt.Sprintf("net%d", i+1)
		}
		m.held = append(m.held, name)
		if isPodNetworks(e) {
			m.ours = i
		}
	}
	return m
}

// taken says whether another entry than ours holds the name.
func (m multus) taken(name string) bool {
	for i, held := range m.held {
		if i != m.ours && held == name {
			return true
		}
	}
	return false
}

// assign gives every request without one its interface name: netN from our
// entry's position on, skipping the names that are held.
func assign(requests []Request, m multus) error {
	asked := map[string]bool{}
	for _, r := range requests {
		if r.Interface == "" {
			continue
		}
		if asked[r.Interface] {
			return fmt.Errorf("interface %q is asked for twice", r.Interface)
		}
		if m.taken(r.Interface) {
			return fmt.Errorf("interface %q is held by an entry of %s", r.Interface, nadv1.NetworkAttachmentAnnot)
		}
		asked[r.Interface] = true
	}
	next := m.ours + 1
	for i := range requests {
		if requests[i].Interface != "" {
			continue
		}
		name := fmt.Sprintf("net%d", next)
		for m.taken(name) || asked[name] {
			next++
			name = fmt.Sprintf("net%d", next)
		}
		requests[i].Interface = name
		next++
	}
	return nil
}

// checkInterface says whether Linux and the pod can take the name (15
// characters and no slash, colon or white space: dev_valid_name in
// net/core/dev.c).
func checkInterface(name string) error {
	if len(name) > 15 {
		return fmt.Errorf("interface %q has %d characters; Linux takes 15", name, len(name))
	}
	if strings.ContainsAny(name, "/: \t\n\v\f\r") {
		return fmt.Errorf("interface %q holds a slash, a colon or white space", name)
	}
	if slices.Contains(reserved, name) {
		return fmt.Errorf("interface %q belongs to the pod and its cluster network; take another name", name)
	}
	return nil
}
