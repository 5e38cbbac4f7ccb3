package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// A pod without port security that sends from ever new MAC addresses has OVN
// write a row for each, which goes to every node of the network and never ages
// before OVN 23.06. Past a limit its rows are deleted, and its port is no longer
// learned from for a while: condition Learning on its attachment says so, also to
// the next controller. A pod that goes on costs the limit once in that while.
const (
	learningPause = 10 * time.Minute
	// unlearnPause is how long what a flood has written gathers before it is
	// deleted at once.
	unlearnPause = 200 * time.Millisecond
)

// Learned is where OVN keeps the MAC addresses that it has learned.
type Learned interface {
	Floods() <-chan struct{}
	// Unlearn returns the ports that were seen with too many.
	Unlearn(ctx context.Context) ([]string, error)
}

// floods are when attachments have flooded OVN, until that is on record. The zero
// value has none.
type floods struct {
	mu   sync.Mutex
	seen map[types.NamespacedName]time.Time
}

func (f *floods) note(owner types.NamespacedName, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[types.NamespacedName]time.Time{}
	}
	f.seen[owner] = now
}

func (f *floods) forget(owner types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.seen, owner)
}

func (f *floods) at(owner types.NamespacedName) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[owner]
}

// follow deletes what floods have written, and has their attachments looked at.
func (f *floods) follow(ctx context.Context, learned Learned, q queue) {
	log := ctrl.LoggerFrom(ctx)
	for {
		select {
		case <-learned.Floods():
		case <-ctx.Done():
			return
		}
		names, err := learned.Unlearn(ctx)
		if err != nil && !errors.Is(err, ovn.ErrNotConnected) { // the next connection tells of them again
			log.Error(err, "Unlearn MAC addresses")
		}
		for _, name := range names {
			if owner, ours := v1alpha1.AttachmentOfPort(name); ours {
				log.Info("Port was seen with too many MAC addresses", "port", name)
				f.note(owner, time.Now())
				q.Add(request(owner))
			}
		}
		select {
		case <-time.After(unlearnPause):
		case <-ctx.Done():
			return
		}
	}
}

// learning is condition Learning as it must be now, nil for none, of an
// attachment with these conditions that has flooded OVN at the time, zero for
// never. It is pure.
func learning(stand []metav1.Condition, flooded, now time.Time) *metav1.Condition {
	if c := meta.FindStatusCondition(stand, v1alpha1.ConditionLearning); c != nil && now.Before(c.LastTransitionTime.Add(learningPause)) {
		return c
	}
	if flooded.IsZero() || !now.Before(flooded.Add(learningPause)) {
		return nil
	}
	stopped := v1alpha1.LearningStopped(ovn.MaxLearned, learningPause)
	return &stopped
}

// flooding finds out whether the attachment's port is not learned from.
func (r *L2AttachmentReconciler) flooding(a *v1alpha1.L2Attachment) *metav1.Condition {
	c := learning(a.Status.Conditions, r.floods.at(a.Key()), time.Now())
	if c == nil || !c.LastTransitionTime.IsZero() {
		r.floods.forget(a.Key()) // it is over, or on record
	}
	return c
}

// ported is the attachment as its port follows it: with condition Learning as it
// is about to be written.
func (s settlement) ported() *v1alpha1.L2Attachment {
	a := *s.attachment
	a.Status.Conditions = nil
	for _, c := range s.attachment.Status.Conditions {
		if c.Type != v1alpha1.ConditionLearning {
			a.Status.Conditions = append(a.Status.Conditions, c)
		}
	}
	if s.learning != nil {
		a.Status.Conditions = append(a.Status.Conditions, *s.learning)
	}
	return &a
}

// again is when the attachment must be looked at though nothing changes.
func (s settlement) again(now time.Time) time.Duration {
	if s.learning == nil {
		return 0
	}
	since := s.learning.LastTransitionTime.Time
	if since.IsZero() {
		since = now
	}
	return max(time.Second, since.Add(learningPause).Sub(now))
}
