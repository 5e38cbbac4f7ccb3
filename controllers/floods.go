package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// learningPause is for how long a port that has flooded OVN is not learned from:
// condition Learning on its attachment says so, also to the next controller.
const learningPause = ovn.LearningPause

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
func (f *floods) follow(ctx context.Context, learned ovn.Learned, q queue) {
	log := ctrl.LoggerFrom(ctx)
	ovn.FollowFloods(ctx, learned, log, func(port string) {
		owner, ours := v1alpha1.AttachmentOfPort(port)
		if !ours {
			return
		}
		log.Info("Port was seen with too many MAC addresses", "port", port)
		f.note(owner, time.Now())
		q.Add(request(owner))
	})
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
