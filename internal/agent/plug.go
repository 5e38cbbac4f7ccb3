package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// undoTimeout bounds the work of undoing what failed, which outlives its
// caller.
const undoTimeout = 10 * time.Second

// plugger wires sandboxes: links and ports together.
type plugger struct {
	links *link.Links
	ovs   *ovs.Client
	// step, for tests, sees each step that is done: nil otherwise.
	step func(done string)
}

func (p *plugger) did(step string) {
	if p.step != nil {
		p.step(step)
	}
}

// plug makes the wires of an ADD and their ports, after what an earlier try of it
// has left is removed. On an error nothing of them is left.
func (p *plugger) plug(ctx context.Context, s ovs.Sandbox, wires []wire) error {
	return p.plugBeside(ctx, s, wires, sameADD(s))
}

// plugBeside makes the wires and their ports beside those of the sandbox that
// are not mine.
func (p *plugger) plugBeside(ctx context.Context, s ovs.Sandbox, wires []wire, mine func(ovs.Port) bool) error {
	ports, err := p.ovs.Ports(ctx)
	if err != nil {
		return err
	}
	plan := planPlug(s, wires, ports, mine)
	if err := plan.conflict(); err != nil {
		return err
	}
	if err := p.clear(ctx, plan); err != nil {
		return fmt.Errorf("remove what an earlier try left: %w", err)
	}
	p.did("clear")
	if err := p.make(ctx, plan); err != nil {
		return errors.Join(err, p.undo(ctx, wires))
	}
	return nil
}

// errHeld says that another attachment has the interface. It may go.
var errHeld = errors.New("another L2Attachment of the pod has this interface")

func (p plan) conflict() error {
	for _, holder := range p.taken {
		return fmt.Errorf("interface %q is logical switch port %q: %w", holder.Interface, holder.LogicalPort, errHeld)
	}
	return nil
}

// clear makes room for the wires. There is nothing to do but after an ADD that
// was cut short, or that the runtime repeats.
func (p *plugger) clear(ctx context.Context, plan plan) error {
	if len(plan.again) > 0 {
		if err := p.unplug(ctx, portNames(plan.again)); err != nil {
			return err
		}
		if err := p.ovs.Settle(ctx); err != nil {
			return err
		}
	}
	for _, w := range plan.wires {
		end, err := p.links.Get(w.host.Name)
		if err != nil {
			return err
		}
		if end == nil {
			continue
		}
		if err := p.links.Delete(w.host.Name); err != nil {
			return err
		}
	}
	return nil
}

func (p *plugger) make(ctx context.Context, plan plan) error {
	datapath, err := p.datapath(ctx)
	if err != nil {
		return err
	}
	for _, w := range plan.wires {
		if err := p.links.Create(w.host, w.port.Sandbox.Netns, w.inner, datapath); err != nil {
			return err
		}
		p.did("create link")
	}
	return p.replace(ctx, plan)
}

// datapath is what the node's Open vSwitch forwards with.
func (p *plugger) datapath(ctx context.Context) (link.Datapath, error) {
	userspace, err := p.ovs.Userspace(ctx)
	if userspace {
		return link.Userspace, err
	}
	return link.Kernel, err
}

// replace makes the wires' ports in the transaction that removes the stale
// ones.
func (p *plugger) replace(ctx context.Context, plan plan) error {
	stale := portNames(plan.stale)
	if err := p.ovs.Change(ctx, wirePorts(plan.wires), stale); err != nil {
		return err
	}
	p.did("add port")
	return p.deleteLinks(stale)
}

// replug makes ports only, for wires whose interfaces are there: Open vSwitch
// has lost its database, or an agent died before it wrote there.
func (p *plugger) replug(ctx context.Context, s ovs.Sandbox, wires []wire) error {
	ports, err := p.ovs.Ports(ctx)
	if err != nil {
		return err
	}
	plan := planPlug(s, wires, ports, func(ovs.Port) bool { return false })
	if err := plan.conflict(); err != nil {
		return err
	}
	return p.replace(ctx, plan)
}

// undo removes what was made of the wires, also when the caller is gone.
func (p *plugger) undo(ctx context.Context, wires []wire) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return p.unplug(ctx, portNames(wirePorts(wires)))
}

// unplug removes ports and host ends by name; both have the same.
func (p *plugger) unplug(ctx context.Context, names []string) error {
	err := p.ovs.Change(ctx, nil, names)
	p.did("remove ports")
	return errors.Join(err, p.deleteLinks(names))
}

func (p *plugger) deleteLinks(names []string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, p.links.Delete(name))
		p.did("delete link")
	}
	return errors.Join(errs...)
}
