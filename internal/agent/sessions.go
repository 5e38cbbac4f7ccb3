package agent

import (
	"context"
)

// eachSession calls f whenever there is a new connection to OVS' database,
// which may be another one than before, until ctx ends.
func (a *Agent) eachSession(ctx context.Context, f func(context.Context)) {
	seen := int64(0)
	for {
		changed := a.ovs.Changed()
		if n := a.ovs.Sessions(); n != seen {
			seen = n
			f(ctx)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
