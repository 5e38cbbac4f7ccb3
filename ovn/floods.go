package ovn

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
)

// A pod without port security that sends from ever new MAC addresses has OVN
// write a row for each, which goes to every node that reads the database. Past
// [MaxLearned] its rows are deleted, and its port is no longer learned from for
// [LearningPause]. A pod that goes on costs the limit once in that while.
const (
	// MaxLearned is how many MAC addresses a port may be seen with.
	MaxLearned = 256
	// LearningPause is for how long OVN learns nothing from a port that was seen
	// with more.
	LearningPause = 10 * time.Minute
	// unlearnPause is how long what a flood has written gathers before it is
	// deleted at once.
	unlearnPause = 200 * time.Millisecond
)

// Learned is where OVN keeps the MAC addresses that it has learned: a
// [Southbound], or a [Zone].
type Learned interface {
	Floods() <-chan struct{}
	// Unlearn returns the ports that were seen with too many.
	Unlearn(ctx context.Context) ([]string, error)
}

// FollowFloods deletes what floods have written, and tells of each port that was
// seen with too many MAC addresses, until ctx ends. Of a port that goes on it tells
// again.
func FollowFloods(ctx context.Context, learned Learned, log logr.Logger, tell func(port string)) {
	for {
		select {
		case <-learned.Floods():
		case <-ctx.Done():
			return
		}
		ports, err := learned.Unlearn(ctx)
		if err != nil && !errors.Is(err, ErrNotConnected) { // the next connection tells of them again
			log.Error(err, "Unlearn MAC addresses")
		}
		for _, port := range ports {
			tell(port)
		}
		select {
		case <-time.After(unlearnPause):
		case <-ctx.Done():
			return
		}
	}
}
