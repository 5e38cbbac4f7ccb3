package firewall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Keeper keeps the table as it should be: it is restored when another program
// has changed or flushed it. The table outlives the program.
type Keeper struct {
	log logr.Logger
	// told is called with what fails, and with nil when it works again.
	told func(error)
	// changed holds one element while something is to be looked at.
	changed chan struct{}

	mu    sync.Mutex
	rules Rules
}

// New returns a Keeper of rules for the ports of tunnels between nodes and to other
// clusters. told may be nil.
func New(log logr.Logger, told func(error), nodes, edges []uint16) *Keeper {
	return &Keeper{log: log, told: told, changed: make(chan struct{}, 1), rules: Rules{Ports: nodes, Edges: edges}}
}

// SetTunnels says by which interfaces other nodes' packets come in, and whether
// the node's own leave with addresses that are known to be its own. It never blocks.
func (k *Keeper) SetTunnels(ownOnly bool, interfaces ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := Rules{Ports: k.rules.Ports, Edges: k.rules.Edges, Tunnels: interfaces, OwnOnly: ownOnly}
	if k.rules.equal(known) {
		return
	}
	k.rules = known
	k.wake()
}

func (k *Keeper) wake() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

func (k *Keeper) wanted() Rules {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rules
}

// Run keeps the table until ctx ends. A kernel without nftables is told, and
// tried again.
func (k *Keeper) Run(ctx context.Context) error {
	for try := (pace{}); ctx.Err() == nil; {
		err := k.keep(ctx)
		if err == nil {
			continue
		}
		k.log.Info("Could not keep the tunnels' port shut", "error", err.Error())
		k.tell(err)
		wait(ctx, try.next(time.Now()))
	}
	return nil
}

func (k *Keeper) tell(err error) {
	if k.told != nil {
		k.told(err)
	}
}

// keep listens before it looks, so that it misses nothing.
func (k *Keeper) keep(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer func() { _ = events.Close() }()
	if err := events.JoinGroup(unix.NFNLGRP_NFTABLES); err != nil {
		return fmt.Errorf("listen for changes of nftables: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- k.listen(events) }()

	stands, err := k.begin()
	if err != nil {
		return err
	}
	k.tell(nil)
	for fight := (pace{}); ; {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-k.changed:
		}
		if stands, err = k.look(ctx, stands, &fight); err != nil {
			return err
		}
	}
}

// holding is the rules that the table has, and how the kernel shows it.
type holding struct {
	rules Rules
	is    state
}

// begin leaves a predecessor's table alone until it is known by which
// interfaces tunnels come in: it says what this one could not.
func (k *Keeper) begin() (holding, error) {
	want := k.wanted()
	if len(want.Tunnels) == 0 && !want.OwnOnly {
		if is, err := read(); err != nil || is.exists() {
			return holding{want, is}, err
		}
	}
	return apply(want)
}

// look restores the table if it is not what it was. Another program that takes
// it away each time has it back ever later.
func (k *Keeper) look(ctx context.Context, stands holding, fight *pace) (holding, error) {
	want := k.wanted()
	if want.equal(stands.rules) {
		is, err := read()
		if err != nil || is.equal(stands.is) {
			return stands, err
		}
		wait(ctx, fight.next(time.Now()))
		k.log.Info("Another program has changed the table that keeps the tunnels' port shut, restoring it", "table", TableName)
	}
	return apply(want)
}

func (r Rules) equal(other Rules) bool {
	return slices.Equal(r.all(), other.all()) && slices.Equal(r.Tunnels, other.Tunnels) && r.OwnOnly == other.OwnOnly
}

func apply(r Rules) (holding, error) {
	if err := install(r); err != nil {
		return holding{}, err
	}
	is, err := read()
	return holding{r, is}, err
}

// listen wakes the keeper for messages about its table, and when the kernel had
// more to tell than could be taken. It ends with the connection.
func (k *Keeper) listen(events *netlink.Conn) error {
	for {
		messages, err := events.Receive()
		if errors.Is(err, unix.ENOBUFS) {
			k.wake()
			continue
		}
		if err != nil {
			return fmt.Errorf("listen for changes of nftables: %w", err)
		}
		if slices.ContainsFunc(messages, func(m netlink.Message) bool { return concerns(m.Data) }) {
			k.wake()
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
