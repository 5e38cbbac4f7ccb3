package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/stretch"
)

// stretches decide which networks go on in other clusters. A network's own reconcile
// decides, and gives it its port; its status's reads what was decided.
//
//	L2Network, L2Peers, namespace ──> judge ──> edge's port
//	Lease, L2Edge, Nodes ──> look ──────┘  └──> decided ──> status.stretch, Stretched
//	                                                         └─ with what L2Peers say
type stretches struct {
	reads  reads
	keys   *tunnelKeys
	fabric v1alpha1.Fabric
	maxMTU int32
	ids    *stretchIDs
	// networks has those judged that wait for an id.
	networks *wakeups

	looking sync.Mutex

	mu sync.Mutex
	// edge is what was found last, and looked that it was.
	edge    stretch.Edge
	looked  bool
	decided map[types.NamespacedName]stretched
}

func newStretches(r reads, keys *tunnelKeys, c Config, networks *wakeups) *stretches {
	return &stretches{
		reads: r, keys: keys, fabric: c.Fabric, maxMTU: c.MaxMTU, ids: newStretchIDs(), networks: networks,
		decided: map[types.NamespacedName]stretched{},
	}
}

// stretched is what was decided of a network.
type stretched struct {
	stretch.Decision
	key int32 // the tunnel key of its edge's port
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2edges;l2peers,verbs=get;list;watch

// judge decides of a network with this spec in force, nil for none, and remembers it.
func (s *stretches) judge(ctx context.Context, network, inForce *v1alpha1.L2Network) (stretched, error) {
	if err := s.wakeRivals(ctx, s.ids.succeed(network)); err != nil {
		return stretched{}, err
	}
	if inForce == nil || inForce.Spec.Stretch == nil {
		s.ids.want(network, 0)
		s.note(network.Key(), nil)
		return stretched{}, nil
	}
	asked := *network
	asked.Spec = inForce.Spec
	d, err := s.decide(ctx, &asked)
	if err != nil {
		return stretched{}, err
	}
	if err := s.claim(ctx, &asked, &d.Decision); err != nil {
		return stretched{}, err
	}
	s.ids.want(network, d.ID)
	if d.ID != 0 {
		d.key, err = s.keys.port(&asked, edgeAttachment(&asked))
		if refusal, is := admission.AsRefusal(err); is {
			c := v1alpha1.NetworkNotStretched(refusal.Reason, refusal.Message)
			d = stretched{Decision: stretch.Decision{Lacks: &c}}
		}
	}
	s.note(network.Key(), &d)
	return d, nil
}

func (s *stretches) note(key types.NamespacedName, d *stretched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d == nil {
		delete(s.decided, key)
		return
	}
	s.decided[key] = *d
}

// decide is the decision about one network, but for whose the id is.
func (s *stretches) decide(ctx context.Context, network *v1alpha1.L2Network) (stretched, error) {
	f, err := s.facts(ctx, network)
	if err != nil {
		return stretched{}, err
	}
	return stretched{Decision: stretch.Decide(f)}, nil
}

// agreed says whether the network, with what is on record of it, is to go on behind the peer.
func (s *stretches) agreed(ctx context.Context, network *v1alpha1.L2Network, peer string) (bool, error) {
	wants := network.InForce()
	if wants == nil || wants.Spec.Stretch == nil {
		return false, nil
	}
	f, err := s.facts(ctx, wants)
	return err == nil && stretch.Agreed(f, peer), err
}

func (s *stretches) facts(ctx context.Context, network *v1alpha1.L2Network) (stretch.Facts, error) {
	f := stretch.Facts{
		Network: network, Edge: s.edgeNow(), Fabric: s.fabric, MTU: network.EffectiveMTU(s.maxMTU),
	}
	namespace, err := s.reads.namespace(ctx, network.Namespace)
	if client.IgnoreNotFound(err) != nil {
		return stretch.Facts{}, err
	}
	if err == nil {
		f.Namespace = namespace.Labels
	}
	f.Peers, err = s.peers(ctx, network.Spec.Stretch.Peers)
	return f, err
}

func (s *stretches) edgeNow() stretch.Edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.edge
}

// peers are those of the names that there are. They are for reading.
func (s *stretches) peers(ctx context.Context, names []string) (map[string]*v1alpha1.L2Peer, error) {
	peers := make(map[string]*v1alpha1.L2Peer, len(names))
	for _, name := range names {
		peer := &v1alpha1.L2Peer{}
		err := s.reads.cached.Get(ctx, client.ObjectKey{Name: name}, peer)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("get L2Peer %q: %w", name, err)
		}
		peers[name] = peer
	}
	return peers, nil
}

// claim has the network hold the id that it may go on with, or refuses it. Of several
// that may have one that is free, the eldest gets it, whichever is judged first.
func (s *stretches) claim(ctx context.Context, network *v1alpha1.L2Network, d *stretch.Decision) error {
	if d.ID == 0 {
		return nil
	}
	holder, held := s.ids.holder(d.ID)
	if !held {
		eldest, err := s.eldest(ctx, network, d.ID)
		if err != nil {
			return err
		}
		holder = s.ids.hold(eldest, d.ID)
		if eldest.UID != network.UID {
			s.networks.wake(holder)
		}
	}
	if holder != network.Key() || !s.ids.has(network, d.ID) {
		c := v1alpha1.IDTaken(d.ID, holder)
		*d = stretch.Decision{Lacks: &c}
	}
	return nil
}

// eldest is the first of those that may have the id: the network itself may.
func (s *stretches) eldest(ctx context.Context, network *v1alpha1.L2Network, id int32) (*v1alpha1.L2Network, error) {
	rivals, err := s.naming(ctx, idIndexed(id))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rivals, stretch.Elder)
	for _, rival := range rivals {
		if rival.UID == network.UID {
			return network, nil
		}
		wants := rival.InForce()
		if wants == nil && isNew(rival) {
			wants = rival // it is about to be judged
		}
		if wants == nil || wants.Spec.Stretch == nil || wants.Spec.Stretch.ID != id {
			continue
		}
		d, err := s.decide(ctx, wants)
		if err != nil {
			return nil, err
		}
		if d.ID == id {
			return rival, nil
		}
	}
	return network, nil
}

// isNew says whether nothing was said of the network yet.
func isNew(network *v1alpha1.L2Network) bool { return len(network.Status.Conditions) == 0 }

// naming are the networks that the index has by the value. They are for reading.
func (s *stretches) naming(ctx context.Context, value string) ([]*v1alpha1.L2Network, error) {
	list := &v1alpha1.L2NetworkList{}
	if err := s.reads.cached.List(ctx, list, client.MatchingFields{stretchIndex: value}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list networks by %s: %w", value, err)
	}
	var networks []*v1alpha1.L2Network
	for i := range list.Items {
		networks = append(networks, &list.Items[i])
	}
	return networks, nil
}

// keysNaming are the keys of those.
func (s *stretches) keysNaming(ctx context.Context, value string) ([]types.NamespacedName, error) {
	networks, err := s.naming(ctx, value)
	var keys []types.NamespacedName
	for _, n := range networks {
		keys = append(keys, n.Key())
	}
	return keys, err
}

// status is what was decided of a network, with what its peers say now. Nothing is said
// of a network without spec.stretch.
func (s *stretches) status(ctx context.Context, network types.NamespacedName) (*v1alpha1.StretchStatus, *metav1.Condition, error) {
	s.mu.Lock()
	d, has := s.decided[network]
	s.mu.Unlock()
	if !has {
		return nil, nil, nil
	}
	peers, err := s.peers(ctx, d.Peers)
	if err != nil {
		return nil, nil, err
	}
	status, said := d.Status(network, peers)
	if status != nil {
		status.TunnelKey = d.key
	}
	return status, &said, nil
}

// settle frees what the network held and is seen to have on record no longer, and wakes
// those that wait for it.
func (s *stretches) settle(ctx context.Context, network *v1alpha1.L2Network) error {
	freed, known := s.ids.settle(network)
	if known && network.Status.Stretch == nil && !s.ids.wants(network) {
		s.keys.attachmentGone(v1alpha1.EdgeOf(network.Key()))
	}
	return s.wakeRivals(ctx, freed)
}

// gone takes back what a network had that the API does not have.
func (s *stretches) gone(ctx context.Context, network types.NamespacedName) error {
	s.note(network, nil)
	s.keys.attachmentGone(v1alpha1.EdgeOf(network))
	return s.wakeRivals(ctx, s.ids.gone(network))
}

func (s *stretches) wakeRivals(ctx context.Context, freed []int32) error {
	for _, id := range freed {
		keys, err := s.keysNaming(ctx, idIndexed(id))
		if err != nil {
			return err
		}
		s.networks.wake(keys...)
	}
	return nil
}

// load takes what is on record, before the first network is judged: ids in force from
// the API itself, not from a cache that may lag behind the writes of the leader before.
func (s *stretches) load(ctx context.Context) error {
	networks, err := s.reads.allNetworks(ctx, client.MatchingFieldsSelector{Selector: stretchedOnly})
	if err != nil {
		return err
	}
	s.ids.load(networks)
	_, err = s.look(ctx)
	return err
}

// stretchedOnly selects the networks that go on somewhere, at the API server.
var stretchedOnly = fields.OneTermNotEqualSelector("status.stretch.id", "")

// edgeAttachment stands for the edge's port where a port's key is an attachment's.
func edgeAttachment(network *v1alpha1.L2Network) *v1alpha1.L2Attachment {
	of := v1alpha1.EdgeOf(network.Key())
	a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{
		Namespace: of.Namespace, Name: of.Name, UID: network.UID, CreationTimestamp: network.CreationTimestamp,
	}}
	if on := network.Status.Stretch; on != nil && on.TunnelKey != 0 {
		a.Status.Network = &v1alpha1.NetworkReference{Namespace: network.Namespace, Name: network.Name}
		a.Status.TunnelKey = on.TunnelKey
	}
	return a
}

// holderOf is the node of the edge that holds the Lease.
func holderOf(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
