package evpn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/api"
	"golang.org/x/sys/unix"
)

// Timers of sessions. A lost session takes nothing away as long as the routes are
// stale, and BFD on the tunnels says within a second that a side is dead; the hold time
// is for a peer without BFD, and short enough that a speaker which came back on the
// same address without closing its connection is noticed. Shorter ones end healthy
// sessions on busy machines.
const (
	holdTime         = 9
	keepalive        = 3
	connectRetry     = 1
	idleAfterReset   = 1
	maxPassword      = 80 // TCP_MD5SIG_MAXKEYLEN
	communityOfPeers = 65000
)

// neighbor is an endpoint as GoBGP was told.
type neighbor struct {
	peer      string
	password  string
	fabric    bool
	maxRoutes int
}

// claims gives every endpoint to one peer: the first by name that names it.
func claims(peers []Peer) (map[netip.Addr]neighbor, error) {
	peers = slices.SortedFunc(slices.Values(peers), func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
	all := map[netip.Addr]neighbor{}
	var errs []error
	for _, p := range peers {
		if len(p.Password) > maxPassword {
			errs = append(errs, fmt.Errorf("peer %s: a password of %d bytes, TCP MD5 takes %d: choose a shorter one", p.Name, len(p.Password), maxPassword))
			continue
		}
		for _, a := range p.Endpoints {
			a = a.Unmap()
			if other, ok := all[a]; ok && other.peer != p.Name {
				errs = append(errs, fmt.Errorf("peer %s: endpoint %s is peer %s's: take it out of one of them", p.Name, a, other.peer))
				continue
			}
			all[a] = neighbor{peer: p.Name, password: p.Password, fabric: p.Fabric, maxRoutes: cmp.Or(p.MaxRoutes, DefaultMaxRoutes)}
		}
	}
	return all, errors.Join(errs...)
}

// SetPeers implements Speaker. A peer that can't be is left out and named in the error;
// the others are set.
func (s *GoBGP) SetPeers(ctx context.Context, peers []Peer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var allowed []Peer
	var errs []error
	for _, p := range peers {
		if p.ASN != s.config.ASN {
			errs = append(errs, fmt.Errorf("peer %s: its ASN is %d, ours %d: both sides must have the same (iBGP)", p.Name, p.ASN, s.config.ASN))
			continue
		}
		allowed = append(allowed, p)
	}
	wanted, err := claims(allowed)
	errs = append(errs, err)
	for a, w := range wanted {
		if err := s.supported(a, w); err != nil {
			errs = append(errs, err)
			delete(wanted, a)
		}
	}
	for a, had := range s.peers {
		if w, ok := wanted[a]; !ok || w.peer != had.peer {
			errs = append(errs, s.deleteNeighbor(ctx, a, had))
		}
	}
	s.names.configure(wanted)
	errs = append(errs, s.setPolicies(ctx, wanted))
	for a, w := range wanted {
		errs = append(errs, s.setNeighbor(ctx, a, w))
	}
	s.counts.keep(wanted)
	errs = append(errs, s.bury(false))
	return errors.Join(errs...)
}

// supported refuses what GoBGP would do without saying so: sessions without the
// password, where the kernel has no TCP MD5.
func (s *GoBGP) supported(a netip.Addr, n neighbor) error {
	if a.Is4() != s.config.Address.Is4() {
		return fmt.Errorf("peer %s: endpoint %s and our address %s are of different families: name one of ours", n.peer, a, s.config.Address)
	}
	if n.password == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	probe := unix.TCPMD5Sig{Keylen: 1}
	probe.Addr.Family = unix.AF_INET
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &probe); err != nil {
		return fmt.Errorf("peer %s: this kernel takes no TCP MD5 password (CONFIG_TCP_MD5SIG): take passwordSecretRef away on both sides, or use another node: %w", n.peer, err)
	}
	return nil
}

func (s *GoBGP) setNeighbor(ctx context.Context, a netip.Addr, w neighbor) error {
	had, ok := s.peers[a]
	switch {
	case !ok:
		if err := s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: s.conf(a, w)}); err != nil {
			return fmt.Errorf("add BGP neighbor %s of peer %s: %w", a, w.peer, err)
		}
	case had.password != w.password || had.fabric != w.fabric:
		if _, err := s.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: s.conf(a, w)}); err != nil {
			return fmt.Errorf("change BGP neighbor %s of peer %s: %w", a, w.peer, err)
		}
	}
	s.peers[a] = w
	s.counts.limit(a, w.maxRoutes)
	return nil
}

func (s *GoBGP) deleteNeighbor(ctx context.Context, a netip.Addr, had neighbor) error {
	if had.password != "" {
		// DeletePeer leaves the password in the listening socket, UpdatePeer does not.
		conf := s.conf(a, neighbor{peer: had.peer})
		conf.Conf.AdminDown = true
		if _, err := s.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: conf}); err != nil {
			return fmt.Errorf("take the password of BGP neighbor %s: %w", a, err)
		}
	}
	if err := s.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: a.String()}); err != nil {
		return fmt.Errorf("delete BGP neighbor %s of peer %s: %w", a, had.peer, err)
	}
	delete(s.peers, a)
	return nil
}

func (s *GoBGP) conf(a netip.Addr, n neighbor) *api.Peer {
	return &api.Peer{
		Conf: &api.PeerConf{NeighborAddress: a.String(), PeerAsn: s.config.ASN, AuthPassword: n.password},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: holdTime, KeepaliveInterval: keepalive, ConnectRetry: connectRetry, IdleHoldTimeAfterReset: idleAfterReset,
		}},
		Transport: &api.Transport{
			LocalAddress: s.config.Address.String(), RemotePort: uint32(s.config.Port),
			PassiveMode: !n.fabric && s.config.Address.Less(a),
		},
		GracefulRestart: &api.GracefulRestart{
			Enabled: true, RestartTime: uint32(RestartTime.Seconds()), NotificationEnabled: true,
		},
		AfiSafis: []*api.AfiSafi{{
			Config:            &api.AfiSafiConfig{Family: family(), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: true}},
		}},
	}
}

func family() *api.Family {
	return &api.Family{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_EVPN}
}

const (
	importPolicy = "import"
	exportPolicy = "export"
)

// setPolicies says what goes where. Nothing that is received gets into GoBGP's table of
// routes: there it could win over a route of ours with the same NLRI, and take it from
// all other peers. Of ours, a route goes to a peer whose community it has, and without
// it: communities of ours mean nothing to others.
func (s *GoBGP) setPolicies(ctx context.Context, wanted map[netip.Addr]neighbor) error {
	endpoints := map[string][]string{}
	for a, n := range wanted {
		endpoints[n.peer] = append(endpoints[n.peer], netip.PrefixFrom(a, a.BitLen()).String())
	}
	export := &api.Policy{Name: exportPolicy}
	var sets []*api.DefinedSet
	for p, list := range endpoints {
		index := s.names.index[p].index
		set := fmt.Sprintf("peer-%d", index)
		sets = append(sets,
			&api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_NEIGHBOR, Name: set, List: list},
			&api.DefinedSet{DefinedType: api.DefinedType_DEFINED_TYPE_COMMUNITY, Name: set, List: []string{fmt.Sprintf("^%d:%d$", communityOfPeers, index)}})
		export.Statements = append(export.Statements, &api.Statement{
			Name: set,
			Conditions: &api.Conditions{
				NeighborSet:  &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: set},
				CommunitySet: &api.MatchSet{Type: api.MatchSet_TYPE_ANY, Name: set},
				RouteType:    api.Conditions_ROUTE_TYPE_LOCAL,
			},
			Actions: &api.Actions{
				RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT,
				Community:   &api.CommunityAction{Type: api.CommunityAction_TYPE_REPLACE},
			},
		})
	}
	slices.SortFunc(export.Statements, func(a, b *api.Statement) int { return strings.Compare(a.Name, b.Name) })
	local := &api.Statement{
		Name:       "local",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
	}
	err := s.server.SetPolicies(ctx, &api.SetPoliciesRequest{
		DefinedSets: sets,
		Policies:    []*api.Policy{{Name: importPolicy, Statements: []*api.Statement{local}}, export},
	})
	if err != nil {
		return fmt.Errorf("set the policies of BGP: %w", err)
	}
	return nil
}

func (s *GoBGP) assignPolicies(ctx context.Context) error {
	for dir, name := range map[api.PolicyDirection]string{
		api.PolicyDirection_POLICY_DIRECTION_IMPORT: importPolicy,
		api.PolicyDirection_POLICY_DIRECTION_EXPORT: exportPolicy,
	} {
		err := s.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
			Name: "global", Direction: dir, Policies: []*api.Policy{{Name: name}}, DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
		}})
		if err != nil {
			return fmt.Errorf("assign the %s policy of BGP: %w", name, err)
		}
	}
	return nil
}
