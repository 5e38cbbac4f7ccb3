package main

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// prepare makes what the worker's cycles work on: a pod that stays, and a
// StatefulSet whose pod keeps its addresses.
func (w *worker) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := w.api.Create(ctx, w.pod(w.name("stays"), "")); err != nil {
		return err
	}
	one, labels := int32(1), map[string]string{"app": w.name("stateful")}
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: w.name("stateful")}, Spec: appsv1.StatefulSetSpec{
		Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{v1alpha1.NetworksAnnotation: "red"}}, Spec: w.pod("", "").Spec},
	}}
	persistent := w.attachment(w.name("persistent"), w.name("stateful")+"-0", "red")
	for _, o := range []client.Object{persistent, set} {
		if err := w.api.Create(ctx, o); err != nil {
			return err
		}
	}
	w.tally.add(attached, 1)
	return w.ready(ctx, persistent, "red")
}

func (w *worker) pod(name, networks string) *corev1.Pod {
	now := int64(0)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &now,
			Containers: []corev1.Container{{
				Name: "toolbox", Image: "localhost/l2sm-toolbox:dev", ImagePullPolicy: corev1.PullNever, Command: []string{"sleep", "infinity"},
			}},
		},
	}
	if networks != "" {
		pod.Annotations = map[string]string{v1alpha1.NetworksAnnotation: networks}
	}
	return pod
}

func (w *worker) attachment(name, pod, network string) *v1alpha1.L2Attachment {
	return &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: pod, Network: v1alpha1.NetworkReference{Name: network}},
	}
}

// makeNetwork makes a network that assigns from a part of its subnets: what
// moves brings addresses of another part along.
func (s *soak) makeNetwork(ctx context.Context, name string, part int) error {
	return s.api.Create(ctx, &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{
			Subnets: []string{"10.120.0.0/16", "fd10:120::/64"},
			Ranges:  []string{fmt.Sprintf("10.120.%d.0/26", part), fmt.Sprintf("fd10:120::%d:0/112", part)},
		}},
	})
}

// podCycle makes a pod under one of a few names, and removes it.
func (w *worker) podCycle(ctx context.Context) error {
	networks := []string{"red", "blue", "red,blue", "red,red"}[w.rand.IntN(4)]
	count := 1 + strings.Count(networks, ",")
	pod := w.pod(fmt.Sprintf("%s-%d", w.name("pod"), w.rand.IntN(3)), networks)
	if err := w.api.Create(ctx, pod); err != nil {
		return err
	}
	if err := w.wired(ctx, pod.Name, count); err != nil {
		return err
	}
	w.tally.add(attached, count)
	if err := w.remove(ctx, pod); err != nil {
		return err
	}
	w.tally.add(detached, count)
	return nil
}

// hotCycle attaches the pod that stays, moves it to and fro, and detaches it.
func (w *worker) hotCycle(ctx context.Context) error {
	w.next++
	a := w.attachment(fmt.Sprintf("%s-%d", w.name("hot"), w.next%3), w.name("stays"), "red")
	if w.rand.IntN(2) == 0 {
		pod := &corev1.Pod{}
		if err := w.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: w.name("stays")}, pod); err != nil {
			return err
		}
		a.Spec.PodUID = pod.UID
	}
	if err := w.api.Create(ctx, a); err != nil {
		return err
	}
	if err := w.ready(ctx, a, "red"); err != nil {
		return err
	}
	w.tally.add(attached, 1)
	for i := range w.rand.IntN(4) {
		to := []string{"blue", "red"}[i%2]
		free, err := w.move(ctx, a, to)
		if err != nil {
			return err
		}
		if !free {
			break
		}
		w.tally.add(moved, 1)
	}
	if err := w.remove(ctx, a); err != nil {
		return err
	}
	w.tally.add(detached, 1)
	return nil
}

// move changes the network and waits for the port to be there. Where another
// has the address, it must be told so, and stays.
func (w *worker) move(ctx context.Context, a *v1alpha1.L2Attachment, to string) (bool, error) {
	if err := w.patch(ctx, a, func() { a.Spec.Network.Name = to }); err != nil {
		return false, err
	}
	err := w.until(ctx, fmt.Sprintf("attachment %s moves to %s", a.Name, to), func() (bool, string) {
		if err := w.api.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return false, err.Error()
		}
		return readyOn(a, to) || w.refused(a), fmt.Sprintf("on %v: %v", a.Status.Network, a.Status.Conditions)
	})
	return err == nil && !w.refused(a), err
}

// refused says whether the attachment's present spec is refused for another's
// address.
func (w *worker) refused(a *v1alpha1.L2Attachment) bool {
	for _, c := range a.Status.Conditions {
		taken := c.Reason == v1alpha1.ReasonAddressTaken || c.Reason == v1alpha1.ReasonMACTaken
		if c.Type == v1alpha1.ConditionAccepted && taken && c.ObservedGeneration == a.Generation {
			return true
		}
	}
	return false
}

// annotationCycle edits the annotation of the pod that stays.
func (w *worker) annotationCycle(ctx context.Context) error {
	pod := w.pod(w.name("stays"), "")
	had := 0
	for _, networks := range []string{"red", "red,blue", "blue", ""} {
		if err := w.patch(ctx, pod, func() {
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, v1alpha1.NetworksAnnotation, networks)
		}); err != nil {
			return err
		}
		count := 0
		if networks != "" {
			count = 1 + strings.Count(networks, ",")
		}
		if err := w.wired(ctx, pod.Name, count); err != nil {
			return err
		}
		w.tally.add(attached, max(0, count-had))
		w.tally.add(detached, max(0, had-count))
		had = count
	}
	return nil
}

// statefulCycle removes the StatefulSet's pod: the next one must have the same
// MAC address and addresses.
func (w *worker) statefulCycle(ctx context.Context) error {
	pod := w.pod(w.name("stateful")+"-0", "")
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
		return err
	}
	a := w.attachment(w.name("persistent"), "", "")
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
		return err
	}
	before, uid := a.Spec.DeepCopy(), pod.UID
	if err := w.api.Delete(ctx, pod, client.Preconditions{UID: &uid}); err != nil {
		return err
	}
	w.tally.add(detached, 1)
	if err := w.until(ctx, "the next pod's attachment is ready", func() (bool, string) {
		if err := w.api.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return false, err.Error()
		}
		return a.Spec.PodUID != "" && a.Spec.PodUID != uid && readyOn(a, "red"), fmt.Sprint(a.Spec, a.Status)
	}); err != nil {
		return err
	}
	w.tally.add(attached, 1)
	if a.Spec.MACAddress != before.MACAddress || fmt.Sprint(a.Spec.Addresses) != fmt.Sprint(before.Addresses) {
		return fmt.Errorf("persistent attachment %s has changed from %v to %v", a.Name, before, a.Spec)
	}
	return w.wired(ctx, pod.Name, 1)
}

// jobCycle runs a pod to its end, which frees its attachment while it still is
// there.
func (w *worker) jobCycle(ctx context.Context) error {
	pod := w.pod(w.name("job"), "blue")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod.Spec.Containers[0].Command = []string{"sleep", "0.2"}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: w.name("job")},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: pod.Annotations}, Spec: pod.Spec}},
	}
	if err := w.api.Create(ctx, job); err != nil {
		return err
	}
	pods := &corev1.PodList{}
	if err := w.until(ctx, "the job's pod has succeeded", func() (bool, string) {
		if err := w.api.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{"job-name": job.Name}); err != nil || len(pods.Items) == 0 {
			return false, fmt.Sprint(err)
		}
		return pods.Items[0].Status.Phase == corev1.PodSucceeded, fmt.Sprint(pods.Items[0].Status)
	}); err != nil {
		return err
	}
	w.tally.add(attached, 1)
	if err := w.wired(ctx, pods.Items[0].Name, 0); err != nil {
		return err
	}
	w.tally.add(detached, 1)
	return w.remove(ctx, job, client.PropagationPolicy(metav1.DeletePropagationForeground))
}

// networkCycle deletes a network under its pod: it stays until the pod is gone.
func (w *worker) networkCycle(ctx context.Context) error {
	name := w.name("network")
	if err := w.makeNetwork(ctx, name, 3+w.id); err != nil {
		return err
	}
	pod := w.pod(w.name("on-network"), name)
	if err := w.api.Create(ctx, pod); err != nil {
		return err
	}
	if err := w.wired(ctx, pod.Name, 1); err != nil {
		return err
	}
	w.tally.add(attached, 1)
	network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := w.api.Delete(ctx, network); err != nil {
		return err
	}
	if err := w.remove(ctx, pod); err != nil {
		return err
	}
	w.tally.add(detached, 1)
	return w.remove(ctx, network)
}
