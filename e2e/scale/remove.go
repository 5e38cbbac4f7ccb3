package main

import (
	"context"
	"fmt"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/scale/stack"
)

// remove deletes every pod and then every network, one by one as users do, and counts what is left.
func (s *scene) remove(ctx context.Context, networks int) error {
	const part = "everything deleted"
	took, used, err := s.removal(ctx, "pods", s.pods, func(ctx context.Context, i int) error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: podName(i)}}
		return s.Client.Delete(ctx, pod, client.GracePeriodSeconds(0))
	}, func() bool {
		_, _, attachments, _ := s.api.counts()
		_, ports := s.nb.counts()
		return attachments == 0 && ports == 0
	})
	if err != nil {
		return err
	}
	s.note(part, "pods, until their attachments and ports are gone", "s", took.Seconds(), nil)
	s.note(part, "attachments", "1/s", float64(s.pods)/took.Seconds(), nil)
	s.note(part, "controller, CPU for each attachment", "ms", milliseconds(used.CPU[stack.Controlled])/float64(s.pods), nil)
	took, used, err = s.removal(ctx, "networks", networks, func(ctx context.Context, i int) error {
		return s.Client.Delete(ctx, newNetwork(space, networkName(i), smallSubnet(i)))
	}, func() bool {
		left, _, _, _ := s.api.counts()
		switches, _ := s.nb.counts()
		return left == 0 && switches == 0
	})
	if err != nil {
		return err
	}
	s.note(part, "networks, until they and their switches are gone", "s", took.Seconds(), nil)
	s.note(part, "controller, CPU for each network", "ms", milliseconds(used.CPU[stack.Controlled])/float64(networks), nil)
	left, err := s.left(ctx)
	if err != nil {
		return err
	}
	s.note(part, "objects and rows left", "", float64(left), mustBeNone())
	return nil
}

func (s *scene) removal(ctx context.Context, what string, n int, remove func(context.Context, int) error, gone func() bool) (time.Duration, stack.Usage, error) {
	before, began := s.Usage(), time.Now()
	if _, err := each(ctx, s.o.writers, n, remove); err != nil {
		return 0, stack.Usage{}, fmt.Errorf("delete %s: %w", what, err)
	}
	s.say("all %d %s are deleted, waiting for what follows", n, what)
	err := s.await(ctx, what+" have left nothing behind", gone)
	return time.Since(began), s.Usage().Since(before), err
}

// left counts what the API and the northbound database still hold. The definitions go with their networks by garbage
// collection, which may take a little longer.
func (s *scene) left(ctx context.Context) (int, error) {
	count := 0
	var failure error
	err := stack.Until(ctx, s.patience(), 200*time.Millisecond, "nothing is left", func() bool {
		count, failure = s.count(ctx)
		return failure != nil || count == 0
	})
	if ctx.Err() != nil {
		return count, err
	}
	return count, failure
}

func (s *scene) count(ctx context.Context) (int, error) {
	switches, ports := s.nb.counts()
	all := switches + ports
	for _, list := range []client.ObjectList{&v1alpha1.L2NetworkList{}, &v1alpha1.L2AttachmentList{}, &nadv1.NetworkAttachmentDefinitionList{}} {
		if err := s.Client.List(ctx, list, client.InNamespace(space), client.Limit(500)); err != nil {
			return 0, fmt.Errorf("list what is left: %w", err)
		}
		all += meta.LenList(list)
	}
	return all, nil
}
