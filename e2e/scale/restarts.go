package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// ownNetworks is how many networks a node has an interface on, when its ovn-controller is restarted.
	ownNetworks = 20
	// watchFlows is how long the flows are looked at after a restart: longer than the wait of the third chassis.
	watchFlows = 7 * time.Second
	// restartsEach is how often.
	restartsEach = 5
)

// restarts kills each ovn-controller and looks how many flows are left meanwhile, and how long a new interface takes.
func (m *monitoring) restarts(ctx context.Context, title string) error {
	for _, i := range columns {
		if err := m.nb.networks(ctx, ownOf(i), 0, ownNetworks+restartsEach, 1); err != nil {
			return err
		}
		for n := range ownNetworks {
			if _, err := m.plugs[i].plug(ctx, portOf(ownOf(i), n, 0)); err != nil {
				return err
			}
		}
	}
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	for _, i := range columns {
		fewest, slowest := 100.0, 0.0
		for n := range restartsEach {
			share, took, err := m.restart(ctx, m.plugs[i], portOf(ownOf(i), ownNetworks+n, 0))
			if err != nil {
				return err
			}
			fewest, slowest = min(fewest, share), max(slowest, milliseconds(took))
		}
		m.note(title, fmt.Sprintf("fewest flows while ovn-controller restarts, of %d times", restartsEach), "%", i, fewest)
		m.note(title, "interface plugged while it restarts, slowest", "ms", i, slowest)
	}
	return nil
}

func ownOf(column int) string { return fmt.Sprintf("own%d", column) }

// restart restarts ovn-controller and plugs an interface. It returns the smallest share of the flows that there was
// meanwhile, in percent, and how long the interface took.
func (m *monitoring) restart(ctx context.Context, p *plugs, port string) (float64, time.Duration, error) {
	before, err := p.chassis.Flows(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := p.chassis.RestartController(); err != nil {
		return 0, 0, err
	}
	var took time.Duration
	plugged := make(chan error, 1)
	go func() {
		var err error
		took, err = p.plug(ctx, port)
		plugged <- err
	}()
	fewest := before
	for began := time.Now(); time.Since(began) < watchFlows && err == nil; {
		var now int
		now, err = p.chassis.Flows(ctx)
		fewest = min(fewest, now)
	}
	err = errors.Join(err, <-plugged)
	return 100 * float64(fewest) / float64(before), took, err
}
