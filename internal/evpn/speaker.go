package evpn

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// Config is who speaks.
type Config struct {
	// Address is where sessions start from and are accepted, and the VTEP of what is
	// announced.
	Address netip.Addr
	// RouterID is an IPv4 address; without one it is Address, or, of an IPv6 address,
	// RouterID(Address).
	RouterID netip.Addr
	// ASN of us and of all peers: 16 bits, since route targets have no room for more
	// beside a VNI.
	ASN uint32
	// Port is 179 where it is 0.
	Port uint16
}

// RouterID makes a BGP identifier out of an IPv6 address: the first 31 bits of its
// SHA-256, with the highest bit zero and not in 0/8, so that it looks like a unicast
// address to those that ask for one. It is the first half of route distinguishers: of
// two edges that have the same, a fabric's reflector passes one's routes only. Set
// RouterID then.
func RouterID(a netip.Addr) netip.Addr {
	b := a.As16()
	h := sha256.Sum256(b[:])
	return netip.AddrFrom4([4]byte{max(h[0]&0x7f, 1), h[1], h[2], h[3]})
}

// GoBGP is a Speaker.
type GoBGP struct {
	config Config
	server *server.BgpServer
	events Events
	log    logr.Logger
	stop   sync.Once
	closed *atomic.Bool

	// Of the calls of Speaker:
	mu    sync.Mutex
	peers map[netip.Addr]neighbor
	names names
	rds   map[uint32]*distinguisher
	ours  map[RouteKey]*announced
	dead  int

	sequences sequences

	// Of the goroutine that tells Events:
	sessions map[netip.Addr]*session

	counts counts
}

// NewSpeaker listens, and has no peers yet. It ends with ctx, or by Close: without a
// word to the peers, which keep our routes until its successor has announced its own.
func NewSpeaker(ctx context.Context, c Config, events Events, log logr.Logger) (*GoBGP, error) {
	c.Address = c.Address.Unmap()
	c.Port = cmp.Or(c.Port, 179)
	if !c.RouterID.IsValid() {
		if c.RouterID = c.Address; c.Address.Is6() {
			c.RouterID = RouterID(c.Address)
		}
	}
	if c.ASN == 0 || c.ASN > 65535 {
		return nil, fmt.Errorf("ASN %d: choose one from 1 to 65535, a route target holds no larger one beside a VNI", c.ASN)
	}
	closed := &atomic.Bool{}
	s := &GoBGP{
		config: c,
		// What GoBGP tells on level Info is what Events are told: sessions that come and go.
		server: server.NewBgpServer(server.LoggerOption(slog.New(untilClosed{logr.ToSlogHandler(log.V(1)), closed}), nil)),
		closed: closed,
		events: events,
		log:    log,
		peers:  map[netip.Addr]neighbor{},
		names:  names{index: map[string]*name{}, taken: map[uint16]bool{}},
		rds:    map[uint32]*distinguisher{},
		ours:   map[RouteKey]*announced{},

		sequences: sequences{},
		sessions:  map[netip.Addr]*session{},
		counts:    newCounts(),
	}
	go s.server.Serve()
	if err := s.start(ctx); err != nil {
		s.Close()
		return nil, err
	}
	context.AfterFunc(ctx, s.Close)
	return s, nil
}

func (s *GoBGP) start(ctx context.Context) error {
	err := s.server.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn:             s.config.ASN,
		RouterId:        s.config.RouterID.String(),
		ListenAddresses: []string{s.config.Address.String()},
		ListenPort:      int32(s.config.Port),
	}})
	if err != nil {
		return fmt.Errorf("listen for BGP on %s port %d: %w", s.config.Address, s.config.Port, err)
	}
	if err := s.setPolicies(ctx, nil); err != nil {
		return err
	}
	if err := s.assignPolicies(ctx); err != nil {
		return err
	}
	return s.watch(ctx)
}

// Close ends it.
func (s *GoBGP) Close() {
	s.stop.Do(func() {
		// Peers see the connection end, and no NOTIFICATION: they keep our routes for the
		// restart time.
		if err := s.server.StopBgp(context.Background(), &api.StopBgpRequest{AllowGracefulRestart: true}); err != nil {
			s.log.Error(err, "stop BGP")
		}
		// This ends what is left, but first tries the above again and logs that it can't.
		s.closed.Store(true)
		s.server.Stop()
	})
}

// untilClosed is a log that ends.
type untilClosed struct {
	slog.Handler
	closed *atomic.Bool
}

func (l untilClosed) Enabled(ctx context.Context, level slog.Level) bool {
	return !l.closed.Load() && l.Handler.Enabled(ctx, level)
}

func (l untilClosed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return untilClosed{l.Handler.WithAttrs(attrs), l.closed}
}

func (l untilClosed) WithGroup(name string) slog.Handler {
	return untilClosed{l.Handler.WithGroup(name), l.closed}
}
