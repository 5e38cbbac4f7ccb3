package edge

import "time"

// believed is for how long BFD must have had an end up before that it goes says anything
// of that end.
const believed = 3 * time.Second

// sight is what BFD has shown of another edge.
type sight struct {
	up    bool
	since time.Time
	// gone says that it was there, and is no more.
	gone bool
}

// told is the sight once BFD says whether it sees the other end. Alive is since when this
// node's ovs-vswitchd has answered, zero while it does not: the database keeps what the
// one before it saw, and the next one begins with all ends down.
func (s sight) told(up bool, alive, now time.Time) sight {
	switch {
	case up == s.up:
		return s
	case up:
		return sight{up: true, since: now}
	}
	since := s.since
	if alive.After(since) {
		since = alive
	}
	return sight{gone: !alive.IsZero() && now.Sub(since) >= believed}
}
