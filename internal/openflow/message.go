package openflow

import (
	"errors"
	"fmt"
)

// Messages, by their numbers in the header (OpenFlow 1.5.1 section 7.1.1).
const (
	version = 6 // 1.5

	typeHello            = 0
	typeError            = 1
	typeEchoRequest      = 2
	typeEchoReply        = 3
	typeFlowMod          = 14
	typeMultipartRequest = 18
	typeMultipartReply   = 19
	typeBarrierRequest   = 20
	typeBarrierReply     = 21
	typeMeterMod         = 29
	typeBundleControl    = 33
	typeBundleAdd        = 34

	headerLength = 8
	maxLength    = 1<<16 - 1 // the header's field of it has 16 bits
)

// message is one, with its header.
func message(kind uint8, xid uint32, body []byte) ([]byte, error) {
	if len(body) > maxLength-headerLength {
		return nil, errTooLong
	}
	b := append([]byte{version, kind}, be.AppendUint16(nil, uint16(headerLength+len(body)))...)
	return append(append(b, u32(xid)...), body...), nil
}

var errTooLong = errors.New("it is longer than a message of OpenFlow may be: 65535 bytes")

// Commands of a flow mod (section 7.3.4.2) and of a meter mod (7.3.4.4).
const (
	flowAdd          = 0
	flowDelete       = 3
	flowDeleteStrict = 4

	meterAdd    = 0
	meterModify = 1
	meterDelete = 2
)

// flowMod is the body of struct ofp_flow_mod: no time-outs, no buffer, any port and group.
func flowMod(command uint8, cookie, mask uint64, key Key, instructions []byte) []byte {
	b := append(u64(cookie), u64(mask)...)
	b = append(b, key.Table, command, 0, 0, 0, 0)
	b = be.AppendUint16(b, key.Priority)
	for range 12 {
		b = append(b, 0xff)
	}
	b = append(b, 0, 0, 0, 0) // flags, importance
	b = append(b, key.Match.encode()...)
	return append(b, instructions...)
}

// allTables is OFPTT_ALL.
const allTables = 0xff

// sweepMod deletes the flows of all tables whose cookie, under the mask, is this one.
func sweepMod(cookie, mask uint64) []byte {
	return flowMod(flowDelete, cookie, mask, Key{Table: allTables}, nil)
}

// What a meter counts in, and that it is told its burst and counts (OFPMF_PKTPS,
// OFPMF_BURST, OFPMF_STATS): a burst that is not told is the datapath's own choice.
const meterFlags = 2 | 4 | 8

// meterMod is the body of struct ofp_meter_mod, with one band that drops.
func meterMod(command uint16, m Meter) []byte {
	b := be.AppendUint16(nil, command)
	if command == meterDelete {
		return append(append(b, 0, 0), u32(m.ID)...)
	}
	b = append(be.AppendUint16(b, meterFlags), u32(m.ID)...)
	b = append(b, 0, 1, 0, 16) // OFPMBT_DROP
	b = append(append(b, u32(m.Rate)...), u32(m.Rate)...)
	return append(b, 0, 0, 0, 0)
}

// Kinds of a bundle's control message, and its flags: atomic, ordered (section 7.3.9).
const (
	bundleOpen    = 0
	bundleCommit  = 4
	bundleDiscard = 6

	bundleFlags = 1 | 2
)

func bundleControl(bundle uint32, kind uint16) []byte {
	return be.AppendUint16(be.AppendUint16(u32(bundle), kind), bundleFlags)
}

// bundleAdd is a message that puts another one of the same transaction into the bundle.
func bundleAdd(bundle, xid uint32, kind uint8, body []byte) ([]byte, error) {
	inner, err := message(kind, xid, body)
	if err != nil {
		return nil, err
	}
	b := be.AppendUint16(append(u32(bundle), 0, 0), bundleFlags)
	return message(typeBundleAdd, xid, append(b, inner...))
}

// flowBody is a flow's change as a flow mod.
func flowBody(change Change) ([]byte, error) {
	switch c := change.(type) {
	case PutFlow:
		if err := c.check(); err != nil {
			return nil, err
		}
		instructions := c.instructions()
		if len(instructions) > maxLength {
			return nil, errTooLong // lengths inside it have 16 bits, too
		}
		return flowMod(flowAdd, c.Cookie, 0, c.Key, instructions), nil
	case DeleteFlow:
		return flowMod(flowDeleteStrict, 0, 0, Key(c), nil), nil
	}
	return nil, fmt.Errorf("no change of a flow: %T", change)
}
