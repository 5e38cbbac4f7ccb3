package openflow

import (
	"context"
	"errors"
	"fmt"
)

// Count is what flows have met.
type Count struct {
	// Flows is how many there are.
	Flows int
	// Frames and Bytes are what they matched since they were put.
	Frames, Bytes uint64
}

// Counts returns what all flows of the bridge have met, added up by their cookies.
func (c *Conn) Counts(ctx context.Context) (map[uint64]Count, error) {
	counts := map[uint64]Count{}
	err := c.ask(ctx, multipartFlows, flowsRequest(), func(entry []byte) error {
		cookie, one, err := parseFlow(entry)
		if err != nil {
			return err
		}
		sum := counts[cookie]
		counts[cookie] = Count{Flows: sum.Flows + 1, Frames: sum.Frames + one.Frames, Bytes: sum.Bytes + one.Bytes}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read counts of flows: %w", err)
	}
	return counts, nil
}

// MeterCount is what a meter has met since it was added.
type MeterCount struct {
	// Frames are those that came to it, Dropped those that were too many.
	Frames, Dropped uint64
}

// Meters returns what all meters of the bridge have met, by their IDs.
func (c *Conn) Meters(ctx context.Context) (map[uint32]MeterCount, error) {
	counts := map[uint32]MeterCount{}
	err := c.ask(ctx, multipartMeters, metersRequest(), func(entry []byte) error {
		id, count, err := parseMeter(entry)
		counts[id] = count
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read counts of meters: %w", err)
	}
	return counts, nil
}

// Sweep deletes the flows whose cookie, under the mask, is another than this one, in one
// atomic step: those that a predecessor has left.
func (c *Conn) Sweep(ctx context.Context, cookie, mask uint64) error {
	counts, err := c.Counts(ctx)
	if err != nil {
		return fmt.Errorf("sweep flows: %w", err)
	}
	others := map[uint64]bool{}
	for is := range counts {
		if is&mask != cookie&mask {
			others[is&mask] = true
		}
	}
	var flows []flowMessage
	for other := range others {
		flows = append(flows, flowMessage{what: sweep(other), body: sweepMod(other, mask)})
	}
	end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := c.bundled(ctx, flows); err != nil {
		return fmt.Errorf("sweep flows: %w", err)
	}
	return nil
}

// sweep is the deletion of all flows of a cookie, under some mask.
type sweep uint64

func (s sweep) String() string { return fmt.Sprintf("deletion of the flows of cookie %#x", uint64(s)) }

// ask makes a multipart request, and hands out each entry of the replies.
func (c *Conn) ask(ctx context.Context, kind uint16, body []byte, take func(entry []byte) error) error {
	end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	header := append(be.AppendUint16(nil, kind), 0, 0, 0, 0, 0, 0)
	x, err := c.exchange(ctx, request{
		kind: typeMultipartRequest, body: append(header, body...),
		part: func(entries []byte) error { return eachEntry(kind, entries, take) },
	})
	if err != nil {
		return err
	}
	if x.count > 0 {
		return x.refusal(func(uint32) string { return "the request" })
	}
	return nil
}

var errShort = errors.New("an entry of a reply is shorter than it says")
