package main

import (
	"context"
	"fmt"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/scale/stack"
)

const floorSpace = "floor"

// floors are how many networks and attachments a second the API server takes where all their writes are there already
// and nothing but the API server works.
type floors struct{ networks, attachments float64 }

// The floor doesn't depend on how many there are, but an API server that has just started is slow.
const warmUp, leastForFloor, mostForFloor = 100, 300, 1000

// floor writes what the controller would, and removes it.
func (s *scene) floor(ctx context.Context) (floors, error) {
	n := min(max(s.size, leastForFloor), mostForFloor)
	if err := s.create(ctx, newNamespace(floorSpace)); err != nil {
		return floors{}, err
	}
	for _, write := range []func(context.Context, int) error{s.floorNetwork, s.floorPod} {
		if _, err := each(ctx, s.o.writers, warmUp, write); err != nil {
			return floors{}, fmt.Errorf("warm up: %w", err)
		}
	}
	if err := s.empty(ctx, floorSpace); err != nil {
		return floors{}, err
	}
	var f floors
	took, err := s.floorOf(ctx, "network", n, s.floorNetwork)
	if err != nil {
		return f, err
	}
	f.networks = float64(n) / took.Seconds()
	if took, err = s.floorOf(ctx, "attachment", n, s.floorPod); err != nil {
		return f, err
	}
	f.attachments = float64(n) / took.Seconds()
	return f, s.empty(ctx, floorSpace)
}

func (s *scene) floorOf(ctx context.Context, what string, n int, write func(context.Context, int) error) (time.Duration, error) {
	before := s.Usage()
	took, err := each(ctx, s.o.writers, n, write)
	if err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	used := s.Usage().Since(before)
	part := "floor: the same writes without the controller"
	s.note(part, what+"s, 3 writes each", "1/s", float64(n)/took.Seconds(), nil)
	s.note(part, "kube-apiserver, CPU for each "+what, "ms", milliseconds(used.CPU[stack.APIServer])/float64(n), nil)
	return took, nil
}

func (s *scene) floorNetwork(ctx context.Context, i int) error {
	network := newNetwork(floorSpace, networkName(i), smallSubnet(i))
	if err := s.create(ctx, network); err != nil {
		return err
	}
	if err := s.create(ctx, floorDefinition(floorSpace, networkName(i))); err != nil {
		return err
	}
	return s.applyStatus(ctx, floorStatus("L2Network", client.ObjectKeyFromObject(network), map[string]any{"attachments": int64(0), "mtu": int64(1442)}))
}

func (s *scene) floorPod(ctx context.Context, i int) error {
	pod := newPod(floorSpace, podName(i), networkName(i), nodeName(i))
	if err := s.create(ctx, pod); err != nil {
		return err
	}
	a := floorAttachment(pod, networkName(i))
	if err := s.create(ctx, a); err != nil {
		return err
	}
	return s.applyStatus(ctx, floorStatus("L2Attachment", client.ObjectKeyFromObject(a), map[string]any{"portName": "l2sm/floor/" + a.Name, "mtu": int64(1442)}))
}

func (s *scene) applyStatus(ctx context.Context, object map[string]any) error {
	o := &unstructured.Unstructured{Object: object}
	err := s.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("scale"), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("apply status of %q: %w", o.GetName(), err)
	}
	return nil
}

// empty deletes everything in a namespace that nobody looks after, and waits until it is gone from the watches.
func (s *scene) empty(ctx context.Context, namespace string) error {
	for _, o := range []client.Object{&corev1.Pod{}, &v1alpha1.L2Attachment{}, &nadv1.NetworkAttachmentDefinition{}, &v1alpha1.L2Network{}} {
		if err := s.Client.DeleteAllOf(ctx, o, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
			return fmt.Errorf("delete all %T in %q: %w", o, namespace, err)
		}
	}
	return stack.Until(ctx, s.patience(), 50*time.Millisecond, "namespace "+namespace+" is empty", func() bool {
		networks, _, attachments, _ := s.api.counts()
		return networks == 0 && attachments == 0
	})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
