package agent

import (
	"context"
	"errors"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/nri"
	"l2sm.io/l2sm/internal/ovs"
)

// early attaches the pods of which the runtime tells, before their containers
// start. It asks the caches alone and waits for no attachment: what is missing is an
// error to the container that is to be made, and the kubelet tries again.
//
// Multus' ADD comes before the runtime tells of a sandbox. So what it attached is
// there by then, and nothing is left to do.
type early struct {
	*Agent
	log logr.Logger
	// waiting are sandboxes that lack interfaces. No container is made in them, and
	// the watch leaves them alone.
	waiting containers
}

func newEarly(a *Agent) *early { return &early{Agent: a, log: a.log.WithName("nri")} }

// run works until ctx ends.
func (e *early) run(ctx context.Context) error {
	if e.config.AttachBy == v1alpha1.AttachMultus {
		return nil
	}
	return nri.Follow(ctx, e.config.NRISocket, e.log, e)
}

// Connected is of nri.Handler. A sandbox without containers may be one that a
// predecessor had wait, or that was made while the runtime told nothing.
func (e *early) Connected(_ context.Context, bare []nri.Sandbox) {
	e.waiting.empty()
	for _, s := range bare {
		if asks(s) {
			e.waiting.add(s.ID)
		}
	}
	e.log.Info("The container runtime tells of pods before they start")
	e.reporter.tell(func(v *nodeView) { v.untold = nil })
}

// Lost is of nri.Handler. What waited is attached as running pods are.
func (e *early) Lost(err error) {
	e.waiting.empty()
	known := false
	e.reporter.tell(func(v *nodeView) {
		known = v.untold != nil && v.untold.Error() == err.Error()
		v.untold = err
	})
	if known {
		return
	}
	e.log.Info("The container runtime tells of no pods before they start", "error", err.Error())
	e.watcher.wakeAll(context.Background())
}

// asks says whether the sandbox's pod asked for networks when it was made.
func asks(s nri.Sandbox) bool {
	return s.Netns != "" && attach.Asks(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: s.Annotations}})
}

// Started is of nri.Handler.
func (e *early) Started(ctx context.Context, s nri.Sandbox) {
	if !asks(s) {
		return
	}
	e.waiting.add(s.ID) // before the runtime lists it as ready
	_ = e.Admit(ctx, s) // which has logged it
	if errors.Is(context.Cause(ctx), context.Canceled) {
		// The connection is lost, and no container will ask.
		e.waiting.drop(s.ID)
		e.watcher.wakeAll(context.WithoutCancel(ctx))
	}
}

// Admit is of nri.Handler.
func (e *early) Admit(ctx context.Context, s nri.Sandbox) error {
	if !e.waiting.has(s.ID) {
		return nil
	}
	log := e.log.WithValues("Pod", s.PodNamespace+"/"+s.PodName, "container", s.ID)
	e.underWay.add(s.ID)
	defer e.underWay.remove(s.ID)
	if err := e.attachNow(logr.NewContext(ctx, log), s); err != nil {
		log.Info("Pod waits", "error", err.Error())
		earlyCalls.WithLabelValues("waits").Inc()
		return err
	}
	e.waiting.drop(s.ID)
	earlyCalls.WithLabelValues("attached").Inc()
	return nil
}

// Stopped is of nri.Handler. It does DEL's work where no DEL of ours comes; what an
// ADD made is left to its own.
func (e *early) Stopped(ctx context.Context, s nri.Sandbox) {
	e.waiting.drop(s.ID)
	e.torn.add(s.ID)
	ports, err := e.ovs.Ports(ctx)
	if err == nil && portIn(ports, s.ID) == nil && !asks(s) {
		return
	}
	life := e.life(types.NamespacedName{Namespace: s.PodNamespace, Name: s.PodName}, s.PodUID)
	err = e.release(ctx, life, s.ID, func(made link.Owner) bool { return made.EndsWith("") })
	if errors.Is(err, ovs.ErrNotConnected) || errors.Is(err, ovs.ErrNoBridge) {
		err = e.links.Release(s.ID, "") // and the sweep removes the ports
	}
	if err != nil {
		e.log.Info("Could not remove a sandbox's interfaces", "container", s.ID, "error", err.Error())
	}
}
