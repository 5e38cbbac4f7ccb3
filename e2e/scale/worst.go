package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// How much a tenant makes of each.
const (
	mostEntries   = 64
	largest       = 250_000 // bytes; Kubernetes allows 256 KiB for all annotations of an object
	forbidden     = 1000
	reserved      = 1000
	waiting       = 300
	tinyAddresses = 14 // of a /28
	squatted      = 200
)

const tenantSpace = "tenant"

// worst is a tenant's objects. Each of edits touches one of them.
type worst struct {
	*scene
	edits []func(ctx context.Context, i int) error
}

func (w *worst) make(ctx context.Context) error {
	if err := w.create(ctx, newNamespace(tenantSpace)); err != nil {
		return err
	}
	for name, subnet := range map[string]string{"own": "10.8.0.0/16", "tiny": "10.9.0.0/28"} {
		if err := w.create(ctx, newNetwork(tenantSpace, name, subnet)); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		what string
		make func(context.Context) error
	}{
		{"a pod with 64 entries and two with the largest annotation", w.largePods},
		{"1,000 forbidden attachments", w.attachments("forbidden", forbidden, v1alpha1.NetworkReference{Namespace: victim, Name: victimNetwork})},
		{"1,000 reserved addresses", w.attachments("reserved", reserved, v1alpha1.NetworkReference{Name: "own"})},
		{"300 pods that wait for an address", w.waitingPods},
		{"200 squatted names", w.squattedNames},
	} {
		w.say("the tenant makes %s", step.what)
		if err := step.make(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *worst) largePods(ctx context.Context) error {
	var entries []string
	for i := range mostEntries {
		entries = append(entries, fmt.Sprintf(`{"name":"own","interface":"i%d"}`, i))
	}
	many := newPod(tenantSpace, "many", "["+strings.Join(entries, ",")+"]", nodeName(0))
	var names strings.Builder
	for i := 0; names.Len() < largest; i++ {
		fmt.Fprintf(&names, "own-%d,", i)
	}
	list := strings.TrimSuffix(names.String(), ",")
	large := newPod(tenantSpace, "large", list, nodeName(1))
	multus := newPod(tenantSpace, "large-multus", "", nodeName(2))
	multus.Annotations = map[string]string{"k8s.v1.cni.cncf.io/networks": list}
	for _, pod := range []*corev1.Pod{many, large, multus} {
		if err := w.create(ctx, pod); err != nil {
			return err
		}
		w.edits = append(w.edits, func(ctx context.Context, i int) error { return w.touch(ctx, &corev1.Pod{}, pod.Name, i) })
	}
	return nil
}

func (w *worst) attachments(name string, n int, network v1alpha1.NetworkReference) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := each(ctx, w.o.writers, n, func(ctx context.Context, i int) error {
			return w.create(ctx, userAttachment(fmt.Sprintf("%s-%d", name, i), "nobody-"+name, network))
		})
		w.edits = append(w.edits, func(ctx context.Context, i int) error {
			return w.touch(ctx, &v1alpha1.L2Attachment{}, fmt.Sprintf("%s-%d", name, i%n), i)
		})
		return err
	}
}

func userAttachment(name, pod string, network v1alpha1.NetworkReference) *v1alpha1.L2Attachment {
	return &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenantSpace, Name: name},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: pod, Network: network},
	}
}

func (w *worst) waitingPods(ctx context.Context) error {
	_, err := each(ctx, w.o.writers, waiting+tinyAddresses, func(ctx context.Context, i int) error {
		return w.create(ctx, newPod(tenantSpace, fmt.Sprintf("waits-%d", i), "tiny", nodeName(i)))
	})
	w.edits = append(w.edits, func(ctx context.Context, i int) error {
		return w.touch(ctx, &corev1.Pod{}, fmt.Sprintf("waits-%d", i%waiting), i)
	})
	return err
}

// squattedNames takes, before a pod is bound, the name that its attachment gets: docs/l2sm-controller.md tells it.
func (w *worst) squattedNames(ctx context.Context) error {
	_, err := each(ctx, w.o.writers, squatted, func(ctx context.Context, i int) error {
		pod := newPod(tenantSpace, fmt.Sprintf("squatted-%d", i), "own", "")
		if err := w.create(ctx, pod); err != nil {
			return err
		}
		name := fmt.Sprintf("%s-net1-%.8s", pod.Name, pod.UID)
		if err := w.create(ctx, userAttachment(name, "nobody", v1alpha1.NetworkReference{Name: "tiny"})); err != nil {
			return err
		}
		return w.bind(ctx, pod, nodeName(i))
	})
	w.edits = append(w.edits, func(ctx context.Context, i int) error {
		return w.touch(ctx, &corev1.Pod{}, fmt.Sprintf("squatted-%d", i%squatted), i)
	})
	return err
}

// touch changes an annotation of an object.
func (w *worst) touch(ctx context.Context, o client.Object, name string, i int) error {
	o.SetNamespace(tenantSpace)
	o.SetName(name)
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"example.com/edit":"%d"}}}`, i)
	if err := w.Client.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("edit %T %q: %w", o, name, err)
	}
	return nil
}

// editEachSecond edits one object after the other, of each kind in turn.
func (w *worst) editEachSecond(ctx context.Context) error {
	for i := 0; pause(ctx, time.Second) == nil; i++ {
		if err := w.edits[i%len(w.edits)](ctx, i); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
