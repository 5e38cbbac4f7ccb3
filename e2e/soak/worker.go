package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// worker carries out one operation after the other, on objects of its own.
type worker struct {
	*soak
	id   int
	rand *rand.Rand
	next int
}

func (w *worker) name(what string) string { return fmt.Sprintf("%s-%d", what, w.id) }

func (w *worker) run(ctx context.Context) error {
	if err := w.prepare(ctx); err != nil {
		return err
	}
	cycles := []struct {
		name  string
		cycle func(context.Context) error
	}{
		{"pod", w.podCycle}, {"pod", w.podCycle}, {"hot", w.hotCycle}, {"hot", w.hotCycle},
		{"annotation", w.annotationCycle}, {"stateful", w.statefulCycle}, {"job", w.jobCycle}, {"network", w.networkCycle},
	}
	for w.tally.total() < w.operations {
		c := cycles[w.rand.IntN(len(cycles))]
		bounded, cancel := context.WithTimeout(ctx, longest)
		err := c.cycle(bounded)
		cancel()
		if err != nil {
			return fmt.Errorf("%s cycle: %w", c.name, err)
		}
	}
	return nil
}

// until waits for what must become true. Its last word is why it is not.
func (w *worker) until(ctx context.Context, what string, holds func() (bool, string)) error {
	for {
		is, why := holds()
		if is {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not after %s: %s", what, longest, why)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// attachments of a pod, by the API.
func (w *worker) attachments(ctx context.Context, pod string) ([]v1alpha1.L2Attachment, error) {
	list := &v1alpha1.L2AttachmentList{}
	err := w.api.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{"spec.podName": pod})
	return list.Items, err
}

// wired waits until the pod has that many attachments, all of them ready.
func (w *worker) wired(ctx context.Context, pod string, count int) error {
	return w.until(ctx, fmt.Sprintf("pod %s has %d attachments, ready", pod, count), func() (bool, string) {
		all, err := w.attachments(ctx, pod)
		if err != nil {
			return false, err.Error()
		}
		ready := 0
		why := fmt.Sprintf("it has %d", len(all))
		for i := range all {
			if readyOn(&all[i], all[i].NetworkKey().Name) {
				ready++
				continue
			}
			why += fmt.Sprintf("; %s: %v", all[i].Name, all[i].Status.Conditions)
		}
		return len(all) == count && ready == count, why
	})
}

// readyOn says whether the attachment is wired, with its port on the network.
func readyOn(a *v1alpha1.L2Attachment, network string) bool {
	on, has := a.PortNetwork()
	ready := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady)
	return has && on.Name == network && ready != nil && ready.Status == "True" && ready.ObservedGeneration == a.Generation
}

// ready waits for one attachment on a network.
func (w *worker) ready(ctx context.Context, a *v1alpha1.L2Attachment, network string) error {
	return w.until(ctx, fmt.Sprintf("attachment %s is ready on %s", a.Name, network), func() (bool, string) {
		if err := w.api.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return false, err.Error()
		}
		return readyOn(a, network), fmt.Sprintf("on %v: %v", a.Status.Network, a.Status.Conditions)
	})
}

// remove deletes an object and waits until it is gone.
func (w *worker) remove(ctx context.Context, o client.Object, options ...client.DeleteOption) error {
	if err := w.api.Delete(ctx, o, options...); client.IgnoreNotFound(err) != nil {
		return err
	}
	return w.until(ctx, fmt.Sprintf("%T %s is gone", o, o.GetName()), func() (bool, string) {
		err := w.api.Get(ctx, client.ObjectKeyFromObject(o), o)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// patch changes an object as it is now, and leaves what others write alone.
func (w *worker) patch(ctx context.Context, o client.Object, change func()) error {
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return err
	}
	before := o.DeepCopyObject().(client.Object)
	change()
	return w.api.Patch(ctx, o, client.MergeFrom(before))
}
