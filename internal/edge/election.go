package edge

import (
	"time"
)

// How long a Lease is good for without being renewed, and when its holder renews it: two
// failures in a row change nothing.
const (
	leaseLasts  = 15 * time.Second
	leaseRenews = 5 * time.Second
)

// step is what an edge does about the Lease.
type step int

const (
	stay step = iota
	take
	renew
	release
)

// race is what an edge knows when it decides about the Lease.
type race struct {
	me string
	// eligible says that this node may be the active edge, others that there is another
	// one.
	eligible, others bool
	// holder of the Lease, empty for none, and since when it has been as it is by this
	// node's clock: clocks of nodes are not compared.
	holder string
	since  time.Time
	// gone says that BFD had the holder up and has it down now.
	gone bool
	// distrust says that this edge lost the Lease while it was well: what BFD says of who
	// took it is then no reason to take it back. Two edges that do not see each other
	// would take it in turns.
	distrust bool
}

// next is what to do now, and when to decide again if nothing changes.
func (r race) next(now time.Time) (step, time.Duration) {
	age := now.Sub(r.since)
	switch {
	case r.holder == r.me && !r.eligible && r.others:
		return release, 0
	case r.holder == r.me && age >= leaseRenews:
		return renew, leaseRenews
	case r.holder == r.me:
		return stay, leaseRenews - age
	case !r.eligible:
		return stay, 0
	case r.holder == "", age >= leaseLasts, r.gone && !r.distrust:
		return take, leaseRenews
	default:
		return stay, leaseLasts - age
	}
}
