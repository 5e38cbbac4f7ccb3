package openflow

import (
	"context"
	"fmt"
)

// putMeters adds meters; those that are there already are given their rate. The protocol
// has a command for either, and none for both.
func (c *Conn) putMeters(ctx context.Context, meters []PutMeter) error {
	refused, err := c.meterMods(ctx, meterAdd, meters)
	if err != nil {
		return err
	}
	var exist []PutMeter
	for i, r := range refused {
		if r.kind != typeMeterFailed || r.code != codeMeterExists {
			return &RefusedError{What: meters[i].String(), Type: r.kind, Code: r.code}
		}
		exist = append(exist, meters[i])
	}
	refused, err = c.meterMods(ctx, meterModify, exist)
	if err != nil {
		return err
	}
	for i, r := range refused {
		return &RefusedError{What: exist[i].String(), Type: r.kind, Code: r.code, More: len(refused) - 1}
	}
	return nil
}

// deleteMeters has no error for a meter that is not there: Open vSwitch has none either.
func (c *Conn) deleteMeters(ctx context.Context, ids []DeleteMeter) error {
	meters := make([]PutMeter, len(ids))
	for i, id := range ids {
		meters[i].ID = uint32(id)
	}
	refused, err := c.meterMods(ctx, meterDelete, meters)
	if err != nil {
		return err
	}
	for i, r := range refused {
		if r.kind == typeMeterFailed && r.code == codeUnknownMeter {
			continue
		}
		return &RefusedError{What: ids[i].String(), Type: r.kind, Code: r.code}
	}
	return nil
}

// meterMods sends one command for many meters and returns those that were refused, by
// their places.
func (c *Conn) meterMods(ctx context.Context, command uint16, meters []PutMeter) (map[int]refusal, error) {
	if len(meters) == 0 {
		return nil, nil
	}
	first := c.xid + 1
	done, err := c.exchange(ctx, request{kind: typeBarrierRequest, fill: func(b *batch) error {
		for _, meter := range meters {
			m, err := message(typeMeterMod, c.next(), meterMod(command, Meter(meter)))
			if err != nil {
				return err
			}
			if err := b.add(m); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	if done.count != len(done.refused) {
		return nil, fmt.Errorf("the switch sent %d errors, %d of which can't be read", done.count, done.count-len(done.refused))
	}
	refused := map[int]refusal{}
	for _, r := range done.refused {
		refused[int(r.xid-first)] = r
	}
	return refused, nil
}
