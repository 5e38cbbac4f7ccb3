package zone

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// southbound keeps the chassis of the nodes that have members of this node's
// networks: ovn-controller makes its tunnels to those. And it looks whether northd
// has given the networks the keys that the other zones have: a network that has
// another is cut off from them, and nothing else shows it.
type southbound struct {
	*Writer
	wake chan struct{} // has room for one
}

func newSouthbound(w *Writer) *southbound {
	return &southbound{Writer: w, wake: make(chan struct{}, 1)}
}

// look has the database compared with what it must hold.
func (s *southbound) look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run looks until ctx ends, and follows what OVN learns.
func (s *southbound) run(ctx context.Context) error {
	database, err := ovn.DialZone(ctx, ovn.Config{Endpoints: s.config.Southbound, Logger: s.log.WithName("ovn")})
	if err != nil {
		return fmt.Errorf("keep remote chassis: %w", err)
	}
	defer database.Close()
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { s.followFloods(ctx, database) })
	s.keep(ctx, database)
	return nil
}

// keep looks until ctx ends.
func (s *southbound) keep(ctx context.Context, database *ovn.Zone) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for wait := firstRetry; ; {
		select {
		case <-s.wake:
		case <-database.Changes():
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		retry.Stop()
		err := errors.Join(s.applyRemotes(ctx, database), s.checkKeys(database))
		if err == nil || errors.Is(err, ovn.ErrNotConnected) { // a connection is a change
			wait = firstRetry
			continue
		}
		s.log.Info("Cannot write remote chassis; tries again", "error", err.Error(), "after", wait.String())
		retry.Reset(wait)
		wait = min(2*wait, lastRetry)
	}
}

// applyRemotes leaves OVN-Kubernetes' database to it, which knows its nodes.
func (s *southbound) applyRemotes(ctx context.Context, database *ovn.Zone) error {
	if s.config.Fabric != v1alpha1.FabricZones {
		return nil
	}
	foreign, err := database.ApplyRemotes(ctx, s.remotes(), s.filling.done())
	if len(foreign) > 0 {
		s.log.Info("Chassis of other nodes were not made by l2sm and stay as they are", "chassis", foreign)
	}
	return err
}

// checkKeys tells which networks have other keys than the API says.
func (s *southbound) checkKeys(database *ovn.Zone) error {
	given, err := database.TunnelKeys()
	if err != nil {
		return err
	}
	s.config.KeysTaken(taken(s.table.keys(), given))
	return nil
}

// named is how many networks a message names.
const named = 5

// taken says which networks were given another key than they have, nil for none.
func taken(want map[ovn.Key]int32, given map[ovn.Key]int) error {
	var all []string
	for key, is := range want {
		if got, has := given[key]; has && got != int(is) {
			all = append(all, fmt.Sprintf("%s has %d and not %d", key, got, is))
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	if more := len(all) - named; more > 0 {
		all = append(all[:named], fmt.Sprintf("and %d more", more))
	}
	return errors.New(strings.Join(all, ", "))
}

// remotes are the chassis of nodes with members of this node's networks, as far as
// it is known where their tunnels start.
func (s *southbound) remotes() []ovn.Remote {
	var all []ovn.Remote
	for _, node := range s.table.otherNodes() {
		n := s.nodes.L2Node(node)
		if n == nil {
			continue
		}
		valid := func(text string) bool { _, err := netip.ParseAddr(text); return err == nil }
		if i := slices.IndexFunc(n.Status.TunnelAddresses, valid); i >= 0 {
			all = append(all, ovn.Remote{Name: s.chassisOf(node), Hostname: node, Address: n.Status.TunnelAddresses[i]})
		}
	}
	return all
}
