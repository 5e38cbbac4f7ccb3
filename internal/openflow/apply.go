package openflow

import (
	"context"
	"fmt"
)

// Apply makes the changes and returns when all of them are in force. Flows change in one
// atomic step: a frame meets either all of them or none, and when the switch refuses one,
// none is made (RefusedError names it). Meters are no part of that step, since Open vSwitch
// takes none into it: those that are put are put before it, those that are deleted are
// deleted after it. An error of ctx or of the connection leaves open what was done.
func (c *Conn) Apply(ctx context.Context, changes []Change) error {
	meters, flows, deletions, err := sorted(changes)
	if err != nil {
		return err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := c.putMeters(ctx, meters); err != nil {
		return fmt.Errorf("change meters: %w", err)
	}
	if err := c.bundled(ctx, flows); err != nil {
		return fmt.Errorf("change flows: %w", err)
	}
	if err := c.deleteMeters(ctx, deletions); err != nil {
		return fmt.Errorf("delete meters: %w", err)
	}
	return nil
}

// flowMessage is a flow's change, encoded.
type flowMessage struct {
	what Change
	body []byte
}

// sorted encodes the changes by the step that they are part of. Nothing is sent of a call
// of which one can't be encoded.
func sorted(changes []Change) (meters []PutMeter, flows []flowMessage, deletions []DeleteMeter, err error) {
	for _, change := range changes {
		switch c := change.(type) {
		case PutMeter:
			if c.ID == 0 || c.ID > lastMeter {
				return nil, nil, nil, fmt.Errorf("encode %s: meters are 1 to %d", change, lastMeter)
			}
			meters = append(meters, c)
		case DeleteMeter:
			deletions = append(deletions, c)
		default:
			body, err := flowBody(change)
			if err != nil {
				return nil, nil, nil, fmt.Errorf("encode %s: %w", change, err)
			}
			flows = append(flows, flowMessage{what: change, body: body})
		}
	}
	return meters, flows, deletions, nil
}

// bundled changes flows in one bundle. It is committed only when the switch has taken
// every message of it: one that it refused would be left out, and the rest be done.
func (c *Conn) bundled(ctx context.Context, flows []flowMessage) error {
	if len(flows) == 0 {
		return nil
	}
	c.bundle++
	bundle, opens := c.bundle, c.xid+1
	named := func(xid uint32) string {
		if i := xid - opens - 1; i < uint32(len(flows)) {
			return flows[i].what.String()
		}
		return "the bundle of changes"
	}
	taken, err := c.exchange(ctx, request{
		fill: func(b *batch) error { return c.fill(b, bundle, flows) },
		kind: typeBarrierRequest,
	})
	if err != nil {
		return err
	}
	if taken.count > 0 {
		return c.discard(ctx, bundle, taken.refusal(named))
	}
	committed, err := c.exchange(ctx, request{
		kind: typeBundleControl, body: bundleControl(bundle, bundleCommit),
		since: opens, // the error of a commit carries the number of the message that is to blame
	})
	if err != nil {
		return err
	}
	switch {
	case committed.count > 1:
		committed.count-- // the commit's own error, which says that there is another
		fallthrough
	case committed.count == 1:
		return committed.refusal(named)
	}
	return nil
}

// fill adds the messages that open the bundle and fill it.
func (c *Conn) fill(b *batch, bundle uint32, flows []flowMessage) error {
	open, err := message(typeBundleControl, c.next(), bundleControl(bundle, bundleOpen))
	if err != nil {
		return err
	}
	if err := b.add(open); err != nil {
		return err
	}
	for _, flow := range flows {
		add, err := bundleAdd(bundle, c.next(), typeFlowMod, flow.body)
		if err != nil {
			return fmt.Errorf("encode %s: %w", flow.what, err)
		}
		if err := b.add(add); err != nil {
			return err
		}
	}
	return nil
}

// discard gives up a bundle and returns why.
func (c *Conn) discard(ctx context.Context, bundle uint32, why error) error {
	if _, err := c.exchange(ctx, request{kind: typeBundleControl, body: bundleControl(bundle, bundleDiscard)}); err != nil {
		return fmt.Errorf("%w; then discard the bundle: %w", why, err)
	}
	return why
}

// refusal is the first error of an exchange, by the name of what was refused.
func (x *exchange) refusal(named func(xid uint32) string) error {
	if len(x.refused) == 0 {
		return fmt.Errorf("the switch sent %d errors that are too short to say more", x.count)
	}
	first := x.refused[0]
	return &RefusedError{What: named(first.xid), Type: first.kind, Code: first.code, More: x.count - 1}
}
