package edge

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/kube"
)

// candidate competes for the Lease. That this edge has it is no reason to carry
// anything: the controller binds ports by it, and bound ports are.
type candidate struct {
	*Edge
	// seen is the Lease that was seen last, and when that was.
	seen  *coordinationv1.Lease
	since time.Time
	// held says that the Lease that was seen last was ours. See race.distrust.
	held, distrust bool
}

// leaseWriteWithin bounds a write: a Lease that comes later is worth less.
const leaseWriteWithin = 3 * time.Second

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=l2sm-system,resourceNames=l2sm-edge,verbs=get;list;watch;update
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=l2sm-system,verbs=create

// run decides again at each change of what it decides by, and when something is due.
func (c *candidate) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changed := c.raceChanged.Next()
		again := c.once(ctx)
		timer.Stop()
		if again > 0 {
			timer.Reset(again)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-timer.C:
		}
	}
}

func (c *candidate) once(ctx context.Context) time.Duration {
	now := time.Now()
	lease := c.cache.Lease()
	c.see(lease, now)
	r := c.race()
	do, again := r.next(now)
	if do == stay {
		return again
	}
	ctx, cancel := context.WithTimeout(ctx, leaseWriteWithin)
	defer cancel()
	next := c.leaseFor(lease, do, now)
	var err error
	if lease == nil {
		err = c.config.API.CreateLease(ctx, next)
	} else {
		err = c.config.API.UpdateLease(ctx, next)
	}
	switch {
	case err == nil:
		if do != renew {
			c.log.Info("Lease written", "holder", holderOf(next), "before", r.holder, "bfdSawItGo", r.gone)
		}
		c.see(next, now)
	case kube.IsOvertaken(err): // the cache tells of it
	default:
		c.log.Info("Cannot write the Lease; networks whose port is bound here go on", "error", err.Error())
		return time.Second
	}
	return again
}

// see notes a Lease that is another than before.
func (c *candidate) see(lease *coordinationv1.Lease, now time.Time) {
	if lease == nil && c.seen != nil || lease != nil && (c.seen == nil || c.seen.ResourceVersion != lease.ResourceVersion) || c.since.IsZero() {
		if holder := holderOf(lease); c.held && holder != "" && holder != c.config.Node {
			c.distrust = true
		}
		c.seen, c.since = lease, now
		c.held = holderOf(lease) == c.config.Node
	}
}

func (c *candidate) race() race {
	r := race{me: c.config.Node, holder: holderOf(c.seen), since: c.since}
	edge := c.cache.L2Edge()
	if edge == nil {
		return r
	}
	for _, n := range edge.Status.Nodes {
		switch n.Name {
		case r.me:
			r.eligible = true
		default:
			r.others = true
		}
		if n.Name == r.holder {
			var up bool
			if up, r.gone = c.seesEdge(n.Address); up {
				c.distrust = false
			}
		}
	}
	r.distrust = c.distrust
	return r
}

func holderOf(lease *coordinationv1.Lease) string {
	if lease == nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// leaseFor is the Lease after the step.
func (c *candidate) leaseFor(lease *coordinationv1.Lease, do step, now time.Time) *coordinationv1.Lease {
	next := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: v1alpha1.EdgeLease}}
	if lease != nil {
		next = lease.DeepCopy()
	}
	holder, at, lasts := c.config.Node, metav1.NewMicroTime(now), int32(leaseLasts/time.Second)
	switch do {
	case release:
		holder = ""
	case take:
		next.Spec.AcquireTime = &at
		transitions := int32(1)
		if next.Spec.LeaseTransitions != nil {
			transitions = *next.Spec.LeaseTransitions + 1
		}
		next.Spec.LeaseTransitions = &transitions
	case renew, stay:
	}
	next.Spec.HolderIdentity, next.Spec.RenewTime, next.Spec.LeaseDurationSeconds = &holder, &at, &lasts
	return next
}
