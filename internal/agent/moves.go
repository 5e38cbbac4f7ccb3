package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/loop"
	"l2sm.io/l2sm/internal/ovs"
)

// settler acts on flows that were installed again, which is all that a node sees
// of a move. The pod's traffic stands still until it has, so it works apart
// from the watcher, which writes to the API.
type settler struct {
	*Agent
	loop *loop.Loop[string]
}

func newSettler(a *Agent) *settler {
	s := &settler{Agent: a}
	s.loop = loop.New(a.log.WithName("moves"), func(ctx context.Context, port string) (time.Duration, error) {
		return 0, s.settle(ctx, port)
	})
	return s
}

// portChanged never blocks.
func (s *settler) portChanged(p ovs.Port) {
	if unsettled(p) {
		s.loop.Add(p.Name)
	}
}

// unsettled says whether the port's flows are other ones than those that were
// acted on last. The node's clock may be set back, so older ones count.
func unsettled(p ovs.Port) bool {
	return p.State.Installed && p.State.InstalledAt != p.Noted.InstalledAt
}

// run works until ctx ends.
func (s *settler) run(ctx context.Context) error {
	go s.eachSession(ctx, s.lookAtAll)
	s.loop.Run(ctx, workers)
	return nil
}

// lookAtAll is for what was installed while there was no connection: of the
// rows that a new one finds it tells before it can be used.
func (s *settler) lookAtAll(ctx context.Context) {
	ports, err := s.ovs.Ports(ctx)
	if err != nil {
		return // there will be another session
	}
	for _, p := range ports {
		s.portChanged(p)
	}
}

func (s *settler) settle(ctx context.Context, name string) error {
	stages := enterWatch()
	ports, err := s.ovs.Ports(ctx)
	if errors.Is(err, ovs.ErrNotConnected) {
		return nil // all ports are looked at when there is a connection again
	}
	if err != nil {
		return err
	}
	for _, p := range ports {
		if p.Name == name && unsettled(p) {
			return s.settlePort(ctx, p, stages)
		}
	}
	return nil
}

func (s *settler) settlePort(ctx context.Context, p ovs.Port, stages *stages) error {
	first := p.Noted.InstalledAt == 0
	if err := s.show(ctx, p, first); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	stages.reach(stageRenewed)
	network, err := s.networkOf(ctx, p)
	if err != nil || network == "" {
		return err
	}
	noted := p.Noted
	noted.Network, noted.InstalledAt = network, p.State.InstalledAt
	if err := s.ovs.Note(ctx, p, noted); err != nil {
		return err
	}
	stages.reach(stageNoted)
	if !first {
		s.loop.Log.Info(what(p.Noted.Network, network), append(stages.values(), "interface", p.Interface, "port", p.Name,
			"Pod", p.Sandbox.PodNamespace+"/"+p.Sandbox.PodName, "from", p.Noted.Network, "to", network)...)
	}
	return nil
}

func what(from, to string) string {
	if from == to {
		return "Flows installed again" // ovn-controller has restarted
	}
	return "Interface moved"
}

// networkOf is the network that the port's flows are of, and empty for a port
// that is about to go. Where the cache shows no move it may lag behind one,
// also behind one that follows the first flows at once: taking flows of the new
// network for the old one's, the agent would wait for newer ones forever.
func (s *settler) networkOf(ctx context.Context, p ovs.Port) (string, error) {
	key, ok := attachmentKey(p.LogicalPort)
	if !ok {
		return "", nil
	}
	a := s.node.Attachment(key)
	if a == nil {
		return "", nil
	}
	network, sure := attribute(a, p.Noted)
	if sure {
		return network, nil
	}
	a, err := s.live.Attachment(ctx, key)
	if err != nil || a == nil {
		return "", err
	}
	network, _ = attribute(a, p.Noted)
	return network, nil
}

// show makes a port known on the network that its flows are of now. What was
// plugged into a running pod gets its addresses with its first ones: had the pod
// sent anything before, Open vSwitch would go on dropping it for up to half a
// second (ovs-vswitchd.conf.db(5), max-revalidator), and the pod ask for its
// neighbours again after a second only. An ADD has its pod wait, and announces it.
// What was plugged in early is announced here, and nothing of it forgotten: its pod
// may be asking for a neighbour just now.
func (s *settler) show(ctx context.Context, p ovs.Port, first bool) error {
	hot, early := p.Sandbox.Config == link.HotConfig, p.Sandbox.Config == link.EarlyConfig
	if first && !hot && !early {
		return nil
	}
	want, err := s.wanted(p)
	if err != nil {
		return err
	}
	if first && early {
		return link.Announce(p.Sandbox.Netns, want)
	}
	if first {
		if err := s.links.Speak(p.Sandbox.Netns, want); err != nil {
			return err
		}
	}
	if err := link.Renew(p.Sandbox.Netns, p.Interface); err != nil {
		return err
	}
	if !first { // the new network may have assigned some
		if err := s.links.AddAddresses(p.Sandbox.Netns, want); err != nil {
			return err
		}
	}
	return s.steerSeveral(ctx, p.Sandbox)
}

// wanted is how the port's interface should be, by the cache: its name, MAC and
// addresses.
func (a *Agent) wanted(p ovs.Port) (want link.Interface, err error) {
	want.Name = p.Interface
	if want.MAC, err = net.ParseMAC(p.MAC); err != nil {
		return want, fmt.Errorf("parse attached-mac of port %q: %w", p.Name, err)
	}
	key, _ := attachmentKey(p.LogicalPort)
	attachment := a.node.Attachment(key)
	if attachment == nil {
		return want, nil
	}
	want.Addresses, err = addressesOf(attachment)
	return want, err
}
