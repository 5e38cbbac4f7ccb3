package edge

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edgebridge"
	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/wireguard"
)

// patience bounds what a start waits for: peers that do not answer must not keep the
// others from their networks.
const patience = 10 * time.Second

// settings are what the API says of this edge and its peers.
type settings struct {
	// edge says that the L2Edge names this node, address where its BGP and tunnels are;
	// invalid while that is not known.
	edge    bool
	address netip.Addr
	asn     uint32
	reach   reach
	// others are the addresses of the cluster's other edges.
	others   []netip.Addr
	peers    []evpn.Peer
	policies []evpn.PeerPolicy
	// What follows is WireGuard's: whom there is a key of, the generation of this edge's own
	// and what others were told of them, and the MTU of the way, in bytes.
	wire       []wireguard.Peer
	generation int32
	published  []string
	mtu        int
	// clashes say why there is no key of an endpoint, by its address outside.
	clashes map[netip.Addr]string
}

// speaker announces, and counts.
type speaker interface {
	evpn.Speaker
	// Sent is how many routes name a peer, Dropped how many of an endpoint were.
	Sent(peer string) int
	Dropped(endpoint netip.Addr) map[evpn.Drop]uint64
}

// speaking is a running speaker, and what it was told.
type speaking struct {
	speaker
	settings settings
	stop     context.CancelFunc
	// peered says that it has peers: what is announced on start comes before.
	peered bool
}

func (s *speaking) withdraw(ctx context.Context, key evpn.RouteKey) error {
	if s == nil {
		return nil
	}
	return s.Withdraw(ctx, key)
}

func (s *speaking) announce(ctx context.Context, r route) error {
	if s == nil {
		return nil
	}
	return s.Announce(ctx, r.Route, r.peers)
}

// settingsOf reads the API.
func (e *Edge) settingsOf() settings {
	var s settings
	edge := e.cache.L2Edge()
	if edge == nil {
		return s
	}
	s.asn, s.reach = uint32(edge.Spec.ASN), reachOf(edge, e.config.Node)
	s.address = s.reach.to(s.reach.own)
	if s.reach.encrypted {
		s.generation, s.mtu = edge.Spec.KeyGeneration, int(edge.Spec.MTU)
	}
	for _, n := range edge.Status.Nodes {
		if n.Name == e.config.Node {
			s.edge, s.published = true, n.PublicKeys
			continue
		}
		if address, err := netip.ParseAddr(n.Address); err == nil { // else the controller says why it has none
			s.others = append(s.others, s.reach.to(address))
			s.wires(address, n.PublicKeys)
		}
	}
	for _, p := range e.cache.L2Peers() {
		peer, policy := e.peerOf(p, s.reach)
		s.peers, s.policies = append(s.peers, peer), append(s.policies, policy)
		for _, at := range s.reach.endpoints(p) {
			if at.why == "" && s.reach.encrypted {
				s.wire = append(s.wire, wireguard.Peer{Endpoint: at.outside, Keys: at.keys})
			}
		}
	}
	own, _ := ownKeysIn(e.cache.Secret(v1alpha1.WireGuardSecret(e.config.Node)), s.generation)
	s.unique(own)
	slices.SortFunc(s.others, netip.Addr.Compare)
	slices.SortFunc(s.peers, func(a, b evpn.Peer) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.policies, func(a, b evpn.PeerPolicy) int { return cmp.Compare(a.Name, b.Name) })
	s.divide()
	return s
}

// wires has WireGuard speak with another edge of this cluster, once its keys are known.
func (s *settings) wires(address netip.Addr, publicKeys []string) {
	var keys []wireguard.Key
	for _, text := range publicKeys {
		if key, err := wireguard.ParseKey(text); err == nil { // that edge writes it again
			keys = append(keys, key)
		}
	}
	if s.reach.encrypted && len(keys) > 0 {
		s.wire = append(s.wire, wireguard.Peer{Endpoint: address, Keys: keys})
	}
}

// unique leaves an endpoint, and a key, that stand at several places to the first of them:
// WireGuard has one address a key. This edge's own come first, then the cluster's, then
// peers'.
func (s *settings) unique(own ownKeys) {
	endpoints, keys := map[netip.Addr]bool{}, map[wireguard.Key]netip.Addr{own.current.Public(): s.reach.own, own.next.Public(): s.reach.own}
	s.clashes = map[netip.Addr]string{}
	s.wire = slices.DeleteFunc(s.wire, func(p wireguard.Peer) bool {
		if endpoints[p.Endpoint] {
			return true
		}
		for _, k := range p.Keys {
			if of, taken := keys[k]; taken {
				s.clashes[p.Endpoint] = fmt.Sprintf("its public key %s is that of %s: write the endpoint's own, which its L2Edge has in status.nodes", k, of)
				return true
			}
		}
		endpoints[p.Endpoint] = true
		for _, k := range p.Keys {
			keys[k] = p.Endpoint
		}
		return false
	})
	for _, p := range s.wire[min(len(s.wire), wireguard.MaxPeers):] {
		s.clashes[p.Endpoint] = fmt.Sprintf("an edge has %d endpoints with encryption at most", wireguard.MaxPeers)
	}
	s.wire = s.wire[:min(len(s.wire), wireguard.MaxPeers)]
}

// divide leaves an endpoint that several peers name to the first of them, as the speaker
// does, which says so.
func (s *settings) divide() {
	taken := map[netip.Addr]bool{}
	for i := range s.policies {
		p := &s.policies[i]
		p.Endpoints = slices.DeleteFunc(slices.Clone(p.Endpoints), func(a netip.Addr) bool { return taken[a] })
		for _, a := range p.Endpoints {
			taken[a] = true
		}
	}
}

// peerOf is an L2Peer as speaker and table need it. What the API admits can be parsed.
func (e *Edge) peerOf(p *v1alpha1.L2Peer, r reach) (evpn.Peer, evpn.PeerPolicy) {
	peer := evpn.Peer{Name: p.Name, ASN: uint32(p.Spec.ASN), Fabric: p.Spec.Type == v1alpha1.PeerFabric}
	policy := evpn.PeerPolicy{Name: p.Name, Fabric: p.Spec.Type == v1alpha1.PeerFabric, MaxMACs: int(p.Spec.MaxMACs)}
	for _, one := range r.endpoints(p) {
		if one.why == "" {
			peer.Endpoints = append(peer.Endpoints, one.at)
		}
	}
	for _, text := range p.Spec.VTEPs {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			policy.VTEPs = append(policy.VTEPs, prefix)
		}
	}
	var missing bool
	if peer.Password, missing = e.passwordOf(p); missing {
		peer.Endpoints = nil // no session rather than one that anybody may speak on
	}
	policy.Endpoints = peer.Endpoints
	return peer, policy
}

// passwordOf is the peer's, and whether one is asked for that is not there.
func (e *Edge) passwordOf(p *v1alpha1.L2Peer) (password string, missing bool) {
	if p.Spec.PasswordSecretRef == nil {
		return "", false
	}
	password = e.cache.Password(p.Spec.PasswordSecretRef.Name)
	return password, password == ""
}

// settle brings bridge, table and speaker in line with the API.
func (w *worker) settle(ctx context.Context) error {
	w.mu.Lock()
	due := (w.dirty.settings || w.crypt.config != nil && !w.crypt.addressed) && w.filled
	if due {
		w.dirty.settings = false
	}
	w.mu.Unlock()
	if !due {
		return nil
	}
	if err := w.settleOn(ctx, w.settingsOf()); err != nil {
		w.mu.Lock()
		w.dirty.settings = true
		w.mu.Unlock()
		return err
	}
	return nil
}

func (w *worker) settleOn(ctx context.Context, s settings) error {
	switch {
	case !s.edge:
		return w.retire(ctx)
	case !s.address.IsValid(): // what there is goes on
		w.log.Info("This edge has no address: see the L2Edge's condition Ready", "node", w.config.Node)
		return nil
	case w.speaker != nil && w.settled && reflect.DeepEqual(w.speaker.settings, s):
		return w.address(ctx)
	}
	w.retired, w.settled = false, false
	w.mu.Lock()
	w.table.SetPeers(s.policies)
	w.table.SetOwn(append(slices.Clone(s.others), s.address))
	w.mu.Unlock()
	if err := w.encrypt(ctx, s); err != nil {
		return err
	}
	if err := w.bridge.Want(ctx, w.wanted(s)); err != nil {
		return err
	}
	if err := w.address(ctx); err != nil {
		return err
	}
	if w.speaker == nil || w.speaker.settings.address != s.address || w.speaker.settings.asn != s.asn {
		if err := w.speak(s); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.speaker.settings = s
	w.mu.Unlock()
	w.settled = true
	if w.speaker.peered { // else see peer
		w.setPeers(ctx)
	}
	return nil
}

// setPeers sets those that can be. The others are named in their L2Peers and tried again
// after a while: one mistake of an administrator's must not keep all from their networks.
func (w *worker) setPeers(ctx context.Context) {
	err := w.speaker.SetPeers(ctx, w.speaker.settings.peers)
	refused := ""
	if err != nil {
		refused = err.Error()
		w.log.Info("Not every peer can be set", "error", refused)
		time.AfterFunc(patience, w.settingsChanged)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = refused
	if err != nil {
		w.speaker.settings.peers = nil // so that they are set again
	}
}

// retire takes away all that an edge has: this node is none, or none any more.
func (w *worker) retire(ctx context.Context) error {
	if w.retired {
		return nil
	}
	for _, key := range w.allAnnounced() {
		if err := w.speaker.withdraw(ctx, key); err != nil {
			return err
		}
	}
	w.silence()
	w.close()
	if err := w.bridge.Remove(ctx); err != nil {
		return err
	}
	if err := w.encrypt(ctx, settings{}); err != nil {
		return err
	}
	w.retired = true
	w.log.Info("This node is no edge: see the L2Edge's status.nodes", "node", w.config.Node)
	return nil
}

// allAnnounced are the routes of all networks.
func (w *worker) allAnnounced() []evpn.RouteKey {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys := w.owed
	for _, n := range append(slices.Collect(maps.Values(w.byVNI)), w.dirty.gone...) {
		for _, routes := range n.announced {
			keys = slices.AppendSeq(keys, maps.Keys(routes))
		}
	}
	return keys
}

// silence ends the speaker: peers are told nothing, and forget its routes after a while.
func (w *worker) silence() {
	if w.speaker == nil {
		return
	}
	w.speaker.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.speaker = nil
	w.forgetSessions()
	w.reportAll()
}

// wanted is what br-edge has to have. Edges of one cluster see each other by BFD.
func (w *worker) wanted(s settings) edgebridge.Config {
	c := edgebridge.Config{Local: s.address, Peers: slices.Clone(s.others), Outlet: w.crypt.outlet()}
	for i, p := range s.policies {
		if p.Fabric {
			c.Fabric = true
			continue
		}
		c.Peers = append(c.Peers, s.peers[i].Endpoints...)
	}
	return c
}

// speak starts the speaker, again where it has another address.
func (w *worker) speak(s settings) error {
	w.silence()
	running, stop := context.WithCancel(w.ctx)
	bgp, err := evpn.NewSpeaker(running, evpn.Config{Address: s.address, ASN: s.asn, Port: w.config.BGPPort}, events{w.Edge}, w.log.WithName("bgp"))
	if err != nil {
		stop()
		return fmt.Errorf("speak BGP at %s: %w", s.address, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.speaker = &speaking{speaker: bgp, stop: stop}
	for _, n := range w.byVNI {
		clear(n.announced)
	}
	w.touchAll()
	return nil
}

// peer gives the speaker its peers, once all that is announced on start is.
func (w *worker) peer(ctx context.Context) {
	if w.speaker == nil || w.speaker.peered {
		return
	}
	w.mu.Lock()
	ready := w.bridgeIs.synced || time.Since(w.began) > patience
	for _, n := range w.byVNI {
		ready = ready && (n.filled || time.Since(w.began) > patience)
	}
	w.mu.Unlock()
	if !ready {
		return
	}
	w.speaker.peered = true
	w.setPeers(ctx)
}
