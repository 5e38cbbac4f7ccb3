package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/e2e/scale/stack"
)

// attached is how long one attach took, from before the call that binds the pod to its node.
type attached struct{ complete, port time.Duration }

// attachOne creates a pod, binds it as a scheduler does, and waits until its port is in the northbound database.
func (s *scene) attachOne(ctx context.Context, namespace, name, networks, node string) (attached, error) {
	pod := newPod(namespace, name, networks, "")
	if err := s.create(ctx, pod); err != nil {
		return attached{}, err
	}
	if err := pause(ctx, 50*time.Millisecond); err != nil { // all caches have seen it
		return attached{}, err
	}
	began := time.Now()
	if err := s.bind(ctx, pod, node); err != nil {
		return attached{}, err
	}
	var a attachment
	var port time.Time
	key := types.NamespacedName{Namespace: namespace, Name: name}
	err := stack.Until(ctx, time.Minute, time.Millisecond, "pod "+key.String()+" has its port", func() bool {
		var ok bool
		if a, ok = s.api.ofPod(key); !ok || a.complete.IsZero() || a.port == "" {
			return false
		}
		port, ok = s.nb.port(a.port)
		return ok
	})
	return attached{complete: a.complete.Sub(began), port: port.Sub(began)}, err
}

func (s *scene) bind(ctx context.Context, pod *corev1.Pod, node string) error {
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node},
	}
	if err := s.Client.SubResource("binding").Create(ctx, pod, binding); err != nil {
		return fmt.Errorf("bind pod %q: %w", pod.Name, err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// series is attaches one by one, on a system that does nothing else for us.
type series struct {
	part      string
	namespace string
	network   func(i int) string
	between   time.Duration
	goal      *goal // of the median and of the controller's CPU
}

// attachMore attaches to the networks in turn.
func (s *scene) attachMore(ctx context.Context, part string, networks int) error {
	return series{
		part: part, namespace: space, goal: ratioAtMost(1.5), between: 50 * time.Millisecond,
		network: func(i int) string { return networkName(i % networks) },
	}.run(ctx, s)
}

func (a series) run(ctx context.Context, s *scene) error {
	var complete, port []float64
	before := s.Usage()
	for i := range s.o.attaches {
		took, err := s.attachOne(ctx, a.namespace, podName(s.pods), a.network(i), nodeName(i))
		if err != nil {
			return err
		}
		s.pods++
		complete, port = append(complete, milliseconds(took.complete)), append(port, milliseconds(took.port))
		if err := pause(ctx, a.between); err != nil {
			return err
		}
	}
	used := s.Usage().Since(before)
	n := float64(s.o.attaches)
	s.note(a.part, "pod bound -> attachment complete, p50", "ms", percentile(complete, 50), nil)
	s.note(a.part, "pod bound -> attachment complete, p99", "ms", percentile(complete, 99), nil)
	s.note(a.part, "pod bound -> port in the northbound, p50", "ms", percentile(port, 50), a.goal)
	s.note(a.part, "pod bound -> port in the northbound, p99", "ms", percentile(port, 99), nil)
	s.note(a.part, "controller, CPU for each", "ms", milliseconds(used.CPU[stack.Controlled])/n, a.goal)
	s.note(a.part, "northbound, CPU for each", "ms", milliseconds(used.CPU[stack.NB])/n, nil)
	s.note(a.part, "northd, CPU for each", "ms", milliseconds(used.CPU[stack.Northd])/n, nil)
	return nil
}
