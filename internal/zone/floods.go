package zone

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// floods are the attachments from whose ports the node's OVN learns nothing for a while.
// Only memory has them: of a pod that goes on, what OVN learns after a restart tells
// again, once more up to the limit.
type floods struct {
	pause time.Duration

	mu   sync.Mutex
	ends map[types.UID]*time.Timer
}

// stop has an attachment's port not learned from until over is called, and says
// whether that is new.
func (f *floods) stop(attachment types.UID, over func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ends[attachment] != nil {
		return false
	}
	f.ends[attachment] = time.AfterFunc(f.pause, func() {
		f.mu.Lock()
		delete(f.ends, attachment)
		f.mu.Unlock()
		over()
	})
	return true
}

func (f *floods) stopped(attachment types.UID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ends[attachment] != nil
}

// all are those that are stopped now, in order.
func (f *floods) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for attachment := range f.ends {
		all = append(all, string(attachment))
	}
	slices.Sort(all)
	return all
}

// end leaves no timer behind.
func (f *floods) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, timer := range f.ends {
		timer.Stop()
	}
}

// followFloods keeps what the node's OVN learns within bounds until ctx ends. It learns of
// its own pods as their frames enter, and of others' as their frames leave its tunnels:
// each zone sees for itself what it is flooded with.
func (w *Writer) followFloods(ctx context.Context, database *ovn.Zone) {
	defer w.floods.end()
	ovn.FollowFloods(ctx, database, w.log, func(port string) { w.flooded(ctx, port) })
}

// flooded stops OVN from learning of a port for a while.
func (w *Writer) flooded(ctx context.Context, port string) {
	owner, ours := v1alpha1.AttachmentOfPort(port)
	if !ours {
		return
	}
	a, local := w.table.attached(owner)
	if a == nil {
		return
	}
	again := func() { w.wake(w.table.rewrite(owner)...) }
	if !w.floods.stop(a.UID, again) {
		return
	}
	again()
	w.log.Info("Port was seen with too many MAC addresses: OVN learns none from it for a while", "port", port, "most", ovn.MaxLearned, "for", w.floods.pause.String())
	if network, has := a.PortNetwork(); has && local { // or each node would tell
		w.config.Tell(ctx, a, v1alpha1.LearningStoppedEvent(network, v1alpha1.LearningStopped(ovn.MaxLearned, w.floods.pause).Message))
	}
}

// ported is the attachment as its port follows it.
func (w *Writer) ported(a *v1alpha1.L2Attachment) *v1alpha1.L2Attachment {
	if w.floods.stopped(a.UID) {
		return topology.NotLearned(a)
	}
	return a
}
