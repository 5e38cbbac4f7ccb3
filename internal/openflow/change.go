package openflow

import "fmt"

// Change is one of those below.
type Change interface {
	// String names what is changed, for errors.
	String() string
}

// PutFlow adds a flow, in the place of one of its key. Its counters begin at zero.
type PutFlow struct {
	Flow
	// Cookie says whose flow it is: what Sweep and Counts go by.
	Cookie uint64
}

// DeleteFlow deletes the flow of the key. There may be none.
type DeleteFlow Key

// PutMeter adds a meter, or gives the one of its ID another rate.
type PutMeter Meter

// DeleteMeter deletes the meter of the ID, and with it the flows that name it (OpenFlow
// 1.5.1 section 7.3.4.4), though Open vSwitch finds none of those that name it in actions of
// a copy (Apart). There may be none.
type DeleteMeter uint32

func (p PutFlow) String() string     { return "flow " + p.Key.String() }
func (d DeleteFlow) String() string  { return "deletion of flow " + Key(d).String() }
func (p PutMeter) String() string    { return fmt.Sprintf("meter %d of %d frames a second", p.ID, p.Rate) }
func (d DeleteMeter) String() string { return fmt.Sprintf("deletion of meter %d", uint32(d)) }
