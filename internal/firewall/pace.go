package firewall

import "time"

// What another program takes away is restored at once, and if it goes on, after
// waits that double up to lastWait. A minute of peace is forgotten after.
const (
	firstWait = 10 * time.Millisecond
	lastWait  = 10 * time.Second
	peace     = time.Minute
)

// pace says how long to wait before the next try.
type pace struct {
	last time.Time
	wait time.Duration
}

// next is zero for the first try, and for one after some peace.
func (p *pace) next(now time.Time) time.Duration {
	quiet := now.Sub(p.last)
	wait := p.wait
	switch {
	case p.last.IsZero() || quiet > peace:
		wait, p.wait = 0, firstWait
	default:
		p.wait = min(2*p.wait, lastWait)
	}
	p.last = now.Add(wait)
	return wait
}
