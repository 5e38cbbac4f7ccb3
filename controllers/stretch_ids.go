package controllers

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// stretchIDs are which network has each id towards other clusters: two with one id would
// be one segment there. They are kept in statuses, and read from there at a start. An id
// is held here before the write that records it, and until a cache shows that none does:
//
//	hold ──> held ── status written, and seen ──> on record ── another, or none, on record, and seen ──> free
type stretchIDs struct {
	mu       sync.Mutex
	holders  map[int32]types.NamespacedName
	networks map[types.NamespacedName]*networkIDs
}

// networkIDs are what one network holds: two ids while it changes from one to another.
type networkIDs struct {
	uid  types.UID
	want int32
	held []int32
	// written is the version of the network that the last write of its status was made
	// of: as long as that is the newest seen, what is on record is not known.
	written string
}

func newStretchIDs() *stretchIDs {
	return &stretchIDs{holders: map[int32]types.NamespacedName{}, networks: map[types.NamespacedName]*networkIDs{}}
}

// load takes what is on record, the older networks first: of two that have the same id
// there, as a backup may bring about, the younger one holds none.
func (s *stretchIDs) load(networks []v1alpha1.L2Network) {
	for _, n := range byAge(networks, metadataOfNetwork) {
		if n.Status.Stretch != nil && n.Status.Stretch.ID != 0 {
			s.hold(n, n.Status.Stretch.ID)
		}
	}
}

func (s *stretchIDs) holder(id int32) (types.NamespacedName, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	holder, has := s.holders[id]
	return holder, has
}

// hold has the network hold the id if it is free, and says who holds it.
func (s *stretchIDs) hold(network *v1alpha1.L2Network, id int32) types.NamespacedName {
	s.mu.Lock()
	defer s.mu.Unlock()
	if holder, has := s.holders[id]; has {
		return holder
	}
	n := s.networks[network.Key()]
	if n == nil {
		n = &networkIDs{uid: network.UID}
		s.networks[network.Key()] = n
	}
	n.want, n.held = id, append(n.held, id)
	s.holders[id] = network.Key()
	return network.Key()
}

// has says whether the network itself holds the id, and not another of its name.
func (s *stretchIDs) has(network *v1alpha1.L2Network, id int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[network.Key()]
	return n != nil && n.uid == network.UID && slices.Contains(n.held, id)
}

// succeed frees what another network of the name held: a cache has shown that it is gone.
func (s *stretchIDs) succeed(network *v1alpha1.L2Network) (freed []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.networks[network.Key()]; n != nil && n.uid != network.UID {
		return s.release(network.Key(), n)
	}
	return nil
}

// want says which id the network has to hold on, 0 for none.
func (s *stretchIDs) want(network *v1alpha1.L2Network, id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.networks[network.Key()]; n != nil && n.uid == network.UID {
		n.want = id
	}
}

// wants says whether the network is to hold any.
func (s *stretchIDs) wants(network *v1alpha1.L2Network) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[network.Key()]
	return n != nil && n.want != 0
}

// sending notes that a status is about to be written of the network as it is.
func (s *stretchIDs) sending(network *v1alpha1.L2Network) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.networks[network.Key()]; n != nil {
		n.written = network.ResourceVersion
	}
}

// settle frees what the network is not to hold and has not on record, as the cache shows
// it. It frees nothing, and says so, as long as that is not known.
func (s *stretchIDs) settle(network *v1alpha1.L2Network) (freed []int32, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[network.Key()]
	if n == nil {
		return nil, true
	}
	if n.written == network.ResourceVersion || n.uid != network.UID {
		return nil, false
	}
	n.written = ""
	recorded := int32(0)
	if network.Status.Stretch != nil {
		recorded = network.Status.Stretch.ID
	}
	n.held = slices.DeleteFunc(n.held, func(id int32) bool {
		if id == n.want || id == recorded {
			return false
		}
		delete(s.holders, id)
		freed = append(freed, id)
		return true
	})
	if len(n.held) == 0 {
		delete(s.networks, network.Key())
	}
	return freed, true
}

// gone frees what a network had that the API does not have.
func (s *stretchIDs) gone(network types.NamespacedName) []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.networks[network]; n != nil {
		return s.release(network, n)
	}
	return nil
}

func (s *stretchIDs) release(network types.NamespacedName, n *networkIDs) []int32 {
	for _, id := range n.held {
		delete(s.holders, id)
	}
	delete(s.networks, network)
	return n.held
}
