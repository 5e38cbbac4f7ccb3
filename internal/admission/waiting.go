package admission

import (
	"container/list"
	"net/netip"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/ipam"
)

// token is one thing that an attachment may wait for on a network, and that a
// release sets free: a certain address or MAC address, some address of a subnet,
// an end of a vlink, a place of a guest namespace.
type token struct {
	what string // address, mac, subnet, end, guest
	name string
}

// waiting are the attachments that were refused for what others have, in the
// order of their refusals. As many are woken as can have what was released: one
// for each. One that is woken and does not take it passes it on.
type waiting struct {
	lines map[token]*list.List                    // of types.NamespacedName
	place map[types.NamespacedName]place          // where an attachment waits
	woken map[types.NamespacedName]map[token]bool // what it was woken for
}

type place struct {
	token token
	line  *list.Element
}

// await puts the attachment into the line for what its refusal names: at the
// end, or, where it was woken for that and another was faster, at the front
// again. It returns those that are to be woken because this one was woken for
// something that it does not take.
func (w *waiting) await(owner types.NamespacedName, r *Refusal) []types.NamespacedName {
	lacks, waits := r.lacks()
	if at, is := w.place[owner]; is && (!waits || at.token != lacks) {
		w.leave(owner)
	}
	unused := w.woken[owner]
	delete(w.woken, owner)
	if _, is := w.place[owner]; waits && !is {
		w.join(owner, lacks, unused[lacks])
	}
	delete(unused, lacks) // it is not there, or this one would have it
	return w.freed(keys(unused))
}

func (w *waiting) join(owner types.NamespacedName, t token, first bool) {
	if w.lines == nil {
		w.lines, w.place = map[token]*list.List{}, map[types.NamespacedName]place{}
		w.woken = map[types.NamespacedName]map[token]bool{}
	}
	line := w.lines[t]
	if line == nil {
		line = list.New()
		w.lines[t] = line
	}
	if first {
		w.place[owner] = place{t, line.PushFront(owner)}
		return
	}
	w.place[owner] = place{t, line.PushBack(owner)}
}

func (w *waiting) leave(owner types.NamespacedName) {
	at, is := w.place[owner]
	if !is {
		return
	}
	delete(w.place, owner)
	line := w.lines[at.token]
	if line.Remove(at.line); line.Len() == 0 {
		delete(w.lines, at.token)
	}
}

// forget says that the attachment waits for nothing any more, and returns what
// it was woken for.
func (w *waiting) forget(owner types.NamespacedName) map[token]bool {
	w.leave(owner)
	woken := w.woken[owner]
	delete(w.woken, owner)
	if len(w.place)+len(w.woken) == 0 {
		*w = waiting{} // a map keeps the size that it had
	}
	return woken
}

// gone is forget for one that will not take what it was woken for. It returns
// those that are to be woken in its place.
func (w *waiting) gone(owner types.NamespacedName) []types.NamespacedName {
	return w.freed(keys(w.forget(owner)))
}

// freed takes the first out of each token's line, and returns them to be woken.
func (w *waiting) freed(tokens []token) []types.NamespacedName {
	var next []types.NamespacedName
	for _, t := range tokens {
		line := w.lines[t]
		if line == nil {
			continue
		}
		owner := line.Front().Value.(types.NamespacedName)
		w.leave(owner)
		if w.woken[owner] == nil {
			w.woken[owner] = map[token]bool{}
		}
		w.woken[owner][t] = true
		next = append(next, owner)
	}
	return next
}

// tokens are what the owner's release of a lease sets free on the network.
func (n *network) tokens(owner types.NamespacedName, lease ipam.Lease) []token {
	all := append(leaseTokens(lease, n.pool.Config()), token{"end", ""})
	if owner.Namespace != n.key.Namespace {
		all = append(all, token{"guest", owner.Namespace})
	}
	return all
}

func leaseTokens(lease ipam.Lease, config ipam.Config) []token {
	all := []token{macToken(lease.MAC)}
	for _, address := range lease.Addresses {
		all = append(all, addressTokens(address.Addr(), config)...)
	}
	return all
}

func addressTokens(addr netip.Addr, config ipam.Config) []token {
	all := []token{addressToken(addr)}
	for _, subnet := range config.Subnets {
		if subnet.Contains(addr) {
			all = append(all, subnetToken(subnet))
		}
	}
	return all
}

func macToken(mac ipam.MAC) token           { return token{"mac", mac.String()} }
func addressToken(a netip.Addr) token       { return token{"address", a.String()} }
func subnetToken(subnet netip.Prefix) token { return token{"subnet", subnet.String()} }

func keys(tokens map[token]bool) []token {
	all := make([]token, 0, len(tokens))
	for t := range tokens {
		all = append(all, t)
	}
	return all
}
