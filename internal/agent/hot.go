package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// errTaken says that the pod has an interface of the name that is not ours.
var errTaken = errors.New("the pod has an interface of this name already, which l2sm did not make")

// reconcile brings one attachment's ports in line with it.
func (w *watcher) reconcile(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	stages := enterWatch()
	v, err := w.gather(ctx, key)
	if errors.Is(err, ovs.ErrNotConnected) {
		return 0, nil // the next connection requeues the attachment
	}
	if err != nil {
		return 0, err
	}
	if err := w.detach(ctx, key, decide(v).strays, stages); err != nil {
		return 0, err
	}
	if v.attachment == nil {
		w.losses.forget(key)
	}
	if v.attachment == nil || !v.attachment.Bound() {
		return 0, nil
	}
	if left := w.losses.left(key, time.Now()); left > 0 && v.wantsSandbox() {
		return left, w.report(ctx, v, nil)
	}
	err = w.bring(ctx, key, v, stages)
	again, pressed := w.press(ctx, key, v)
	return again, errors.Join(retried(err), worthSaying(pressed), w.report(ctx, v, worthSaying(err)))
}

// retried leaves out what only a change can mend.
func retried(err error) error {
	for _, lasting := range []error{errTaken, errHeld, link.ErrName} {
		if errors.Is(err, lasting) {
			return nil
		}
	}
	return err
}

// worthSaying leaves out what is the node's state, and passes.
func worthSaying(err error) error {
	for _, passing := range []error{ovs.ErrNotConnected, ovs.ErrNoBridge, context.Canceled} {
		if errors.Is(err, passing) {
			return nil
		}
	}
	return err
}

// detach unplugs ports that are none of the attachment's, each under the lock
// of the pod that it is in.
func (w *watcher) detach(ctx context.Context, key types.NamespacedName, strays []ovs.Port, stages *stages) error {
	for _, stray := range strays {
		if err := w.detachOne(ctx, key, stray); err != nil {
			return fmt.Errorf("detach interface %q of pod %q: %w", stray.Interface, stray.Sandbox.PodName, err)
		}
		w.attached.Delete(stray.Name)
		w.moves.Delete(stray.Name)
		stages.reach(stageUnplugged)
		logr.FromContextOrDiscard(ctx).Info("Interface detached", append(stages.values(), "interface", stray.Interface, "port", stray.Name,
			"Pod", stray.Sandbox.PodNamespace+"/"+stray.Sandbox.PodName, "container", stray.Sandbox.Container)...)
	}
	return nil
}

func (w *watcher) detachOne(ctx context.Context, key types.NamespacedName, stray ovs.Port) error {
	unlock, err := w.pods.acquire(ctx, w.lifeIn(stray.Sandbox))
	if err != nil {
		return fmt.Errorf("wait for a call for the pod: %w", err)
	}
	defer unlock()
	v, err := w.gather(ctx, key)
	if err != nil {
		return err
	}
	for _, p := range decide(v).strays {
		if p.Name == stray.Name {
			return errors.Join(w.unplug(ctx, []string{p.Name}), w.alone(ctx, p.Sandbox))
		}
	}
	return nil
}

// alone takes back the rules that a detached interface needed. Its sandbox may be
// gone.
func (w *watcher) alone(ctx context.Context, s ovs.Sandbox) error {
	if err := w.steer(ctx, s); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// bring plugs the attachment where it is missing, and otherwise has its port
// follow what changed.
func (w *watcher) bring(ctx context.Context, key types.NamespacedName, v view, stages *stages) error {
	if !v.wantsSandbox() {
		return w.adjust(ctx, v)
	}
	// An ADD may hold the pod's lock for long; meanwhile no sandbox is ready.
	ready, err := w.ready(ctx, v.pod)
	if err != nil || ready == nil {
		return err
	}
	unlock, err := w.pods.acquire(ctx, w.life(keyOf(v.pod), string(v.pod.UID)))
	if err != nil {
		return fmt.Errorf("wait for a call for the pod: %w", err)
	}
	defer unlock()
	if v, err = w.gather(ctx, key); err != nil || !v.wantsSandbox() {
		return err
	}
	if v.sandbox, err = w.place(ctx, v); err != nil || !decide(v).plug {
		return err
	}
	stages.reach(stageSandbox)
	if v.lost() || w.losses.known(key) { // one that goes while it is plugged in leaves no port
		w.losses.mend(key, time.Now())
	}
	return w.plugHot(ctx, v, stages)
}

// plugHot is called with the pod's lock held.
func (w *watcher) plugHot(ctx context.Context, v view, stages *stages) error {
	s := ovs.Sandbox{
		Container: v.sandbox.container, IfName: v.attachment.Spec.Interface, Config: link.HotConfig, Netns: v.sandbox.netns,
		PodNamespace: v.pod.Namespace, PodName: v.pod.Name, PodUID: string(v.pod.UID),
	}
	if end := v.sandbox.end; end != nil && end.Owner != (link.Owner{}) {
		s.IfName, s.Config = end.Owner.IfName, end.Owner.Config // so that the DEL of its ADD finds it again
	}
	made, err := newWire(s, v.attachment)
	if err != nil {
		return err
	}
	made.inner.Quiet = true // until the settler sees its flows
	plug := func(ctx context.Context, s ovs.Sandbox, wires []wire) error {
		return w.plugBeside(ctx, s, wires, func(ovs.Port) bool { return false })
	}
	if v.sandbox.end != nil {
		whole, err := link.Made(s.Netns, made.inner)
		if err != nil {
			return err
		}
		if whole {
			plug = w.replug
		}
	}
	w.attached.Store(made.port.Name, stages)
	err = plug(ctx, s, []wire{made})
	if err != nil {
		w.attached.Delete(made.port.Name)
	}
	if errors.Is(err, os.ErrExist) {
		return errTaken
	}
	if err != nil {
		return err
	}
	stages.reach(stagePlugged)
	return nil
}

// adjust needs no lock: it makes and removes nothing.
func (w *watcher) adjust(ctx context.Context, v view) error {
	port := v.port()
	if port == nil {
		return nil
	}
	d := decide(v)
	err := w.follow(ctx, *port, d)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the sandbox is going
	}
	if err != nil {
		return err
	}
	return w.ovs.Note(ctx, *port, d.noted)
}

// follow changes the interface as the decision says.
func (w *watcher) follow(ctx context.Context, port ovs.Port, d decision) error {
	log := logr.FromContextOrDiscard(ctx).WithValues("interface", port.Interface, "port", port.Name)
	if d.mtu != 0 {
		if err := w.links.SetMTU(port.Name, port.Sandbox.Netns, port.Interface, d.mtu); err != nil {
			return err
		}
		log.Info("MTU changed", "mtu", d.mtu)
	}
	if d.acceptRA != "" {
		if err := w.links.SetAcceptRA(port.Sandbox.Netns, port.Interface, d.acceptRA); err != nil {
			return err
		}
		log.Info("Router Advertisements", "accept_ra", d.acceptRA)
	}
	if d.routes != "" {
		datapath, err := w.datapath(ctx)
		if err != nil {
			return err
		}
		if err := w.links.SetRoutes(port.Name, port.Sandbox.Netns, port.Interface, datapath, d.routes == yesNo(true)); err != nil {
			return err
		}
		log.Info("Router Advertisements of the pod", "passed", d.routes)
	}
	return nil
}

// report says on the attachment what became of it.
func (w *watcher) report(ctx context.Context, v view, failed error) error {
	want, ok := readiness(v, failed)
	if !ok || stands(v.attachment, want) {
		return nil
	}
	if err := w.live.ApplyCondition(ctx, v.attachment, dated(v.attachment, want), name); err != nil {
		return err
	}
	port := v.port()
	if port == nil || want.Status != metav1.ConditionTrue {
		return nil
	}
	if hot, is := w.attached.LoadAndDelete(port.Name); is {
		stages := hot.(*stages)
		stages.reach(stageReady)
		logr.FromContextOrDiscard(ctx).Info("Interface attached", append(stages.values(), "interface", port.Interface, "port", port.Name,
			"Pod", port.Sandbox.PodNamespace+"/"+port.Sandbox.PodName, "container", port.Sandbox.Container)...)
	}
	return nil
}
