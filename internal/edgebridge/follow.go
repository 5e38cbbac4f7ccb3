package edgebridge

import (
	"context"
	"maps"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/internal/ovs/replica"
	"l2sm.io/l2sm/internal/ovs/vs"
)

// begins is the replica's: with a new connection everything may have changed.
func (b *Bridge) begins() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun, b.drifted = true, true
	clear(b.ours)
}

// is is the replica's: a row has appeared or changed.
func (b *Bridge) is(row model.Model) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rowChanged(row)
}

// rowChanged remembers what a row concerns. The caller holds mu.
func (b *Bridge) rowChanged(row model.Model) {
	switch row := row.(type) {
	case *vs.Interface:
		b.note(row)
	case *vs.Bridge, *vs.OpenvSwitch:
		b.drifted = true
	}
}

// note remembers an interface that concerns us. The caller holds mu.
func (b *Bridge) note(iface *vs.Interface) {
	if _, ours := endpointOf(iface); ours {
		b.ours[iface.Name] = struct{}{}
		b.drifted = true
	} else if _, is := networkOf(iface.Name); !is {
		return
	}
	b.touched[iface.Name] = struct{}{}
}

// gone is the replica's: a row is gone.
func (b *Bridge) gone(row model.Model) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rowChanged(row)
	if iface, ok := row.(*vs.Interface); ok {
		delete(b.ours, iface.Name)
	}
}

func (b *Bridge) oursAre() map[string]struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.ours)
}

// follow tells what changes and brings back what others undo.
func (b *Bridge) follow(ctx context.Context) {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(50*time.Millisecond), backoff.WithMaxInterval(10*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		changed := b.db.Changed()
		var again <-chan time.Time
		if err := b.look(ctx); err == nil || passing(err) {
			wait.Reset()
		} else if ctx.Err() == nil {
			b.log.Error(err, "follow Open vSwitch's database")
			again = time.After(wait.NextBackOff())
		}
		select {
		case <-changed:
		case <-b.failed:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// look tells what has changed since the last look. What it can't read is looked at again.
func (b *Bridge) look(ctx context.Context) error {
	names, begun, drifted := b.take()
	if err := b.tell(ctx, names, begun); err != nil {
		b.putBack(names, begun, drifted)
		return err
	}
	if !drifted {
		return nil
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	err := b.bring(ctx)
	if err != nil && !passing(err) {
		b.putBack(nil, false, true)
	}
	return err
}

func (b *Bridge) take() (names map[string]struct{}, begun, drifted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	names, begun, drifted = b.touched, b.begun, b.drifted
	b.touched, b.begun, b.drifted = map[string]struct{}{}, false, false
	return names, begun, drifted
}

func (b *Bridge) putBack(names map[string]struct{}, begun, drifted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.Copy(b.touched, names)
	b.begun, b.drifted = b.begun || begun, b.drifted || drifted
}

// tell tells of the interfaces of these names; after a connection has begun, of all that
// there are and that were told of.
func (b *Bridge) tell(ctx context.Context, names map[string]struct{}, begun bool) error {
	if begun {
		rows, err := replica.List[vs.Interface](ctx, b.db)
		if err != nil {
			return err
		}
		b.mu.Lock()
		for _, row := range rows {
			b.note(row)
		}
		maps.Copy(names, b.touched)
		clear(b.touched)
		b.mu.Unlock()
		for name := range b.networks {
			names[name] = struct{}{}
		}
		for name := range b.tunnels {
			names[name] = struct{}{}
		}
	}
	for name := range names {
		iface := &vs.Interface{Name: name}
		exists, err := replica.Get(ctx, b.db, iface)
		if err != nil {
			return err
		}
		b.tellOf(iface, exists)
	}
	if begun {
		b.events.Synced()
	}
	return nil
}

// tellOf tells of one interface if it differs from what was told.
func (b *Bridge) tellOf(iface *vs.Interface, exists bool) {
	if network, is := networkOf(iface.Name); is {
		port := number(iface)
		if b.networks[iface.Name] == port {
			return
		}
		b.networks[iface.Name] = port
		if port == 0 {
			delete(b.networks, iface.Name)
		}
		b.events.Network(network, port)
		return
	}
	was, told := b.tunnels[iface.Name]
	if !exists {
		if told {
			delete(b.tunnels, iface.Name)
			b.events.Tunnel(was.endpoint, Tunnel{})
		}
		return
	}
	endpoint, ours := endpointOf(iface)
	is := toldTunnel{endpoint: endpoint, Tunnel: tunnelOf(iface)}
	if !ours || told && was == is {
		return
	}
	b.tunnels[iface.Name] = is
	b.events.Tunnel(endpoint, is.Tunnel)
}
