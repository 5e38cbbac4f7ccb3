package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/e2e/lab/patience"
)

const namespace = "soak"

var (
	// longest bounds the wait for one operation: the kubelet may back off
	// from a container that was killed before.
	longest = patience.Of(4 * time.Minute)
	// settle is what the last kill's restart may take until the audit.
	settle = patience.Of(2 * time.Minute)
)

// soak is one run.
type soak struct {
	options
	out   io.Writer
	lab   *lab.Lab
	api   client.WithWatch
	tally tally
}

func (o options) run(ctx context.Context, out io.Writer) error {
	s := &soak{options: o, out: out}
	if err := s.open(ctx); err != nil {
		return err
	}
	began := time.Now()
	err := s.work(ctx)
	found := s.tally.found()
	for _, f := range found {
		fmt.Fprintln(out, "discrepancy:", f)
	}
	fmt.Fprintf(out, "soak: %s, in %s, seed %d; %s of L2Attachments checked; discrepancies: %d\n",
		s.tally.operations(), time.Since(began).Round(time.Second), s.seed, plural(s.tally.changes(), "change"), len(found))
	if len(found) > 0 {
		err = errors.Join(err, fmt.Errorf("%d discrepancies", len(found)))
	}
	return err
}

func (s *soak) open(ctx context.Context) error {
	var err error
	if s.lab, err = lab.Find(s.options.lab); err != nil {
		return err
	}
	if s.api, err = s.lab.Client(); err != nil {
		return err
	}
	if err := s.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return fmt.Errorf("begin again (kubectl delete namespace %s removes what an earlier run left): %w", namespace, err)
	}
	return nil
}

// work runs the workers, the killer and the watch, and audits at the end and
// when all is removed.
func (s *soak) work(ctx context.Context) error {
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	watched := make(chan error, 1)
	go func() { watched <- s.watch(watching) }()

	killing, stopKilling := context.WithCancel(ctx)
	killed := make(chan struct{})
	go func() { defer close(killed); s.kill(killing) }()
	err := s.operate(ctx)
	stopKilling()
	<-killed
	if err != nil {
		s.show(ctx)
	}
	if err == nil {
		err = s.audit(ctx, "at the end of the work")
	}
	if err == nil {
		if err = s.removeAll(ctx); err == nil {
			err = s.audit(ctx, "when all is removed")
		}
	}
	stopWatching()
	return errors.Join(err, <-watched)
}

// operate makes what stays, and has the workers work until enough is done or
// one of them fails.
func (s *soak) operate(ctx context.Context) error {
	for i, name := range []string{"red", "blue"} {
		if err := s.makeNetwork(ctx, name, 1+i); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for i := range s.workers {
		w := &worker{soak: s, id: i, rand: rand.New(rand.NewPCG(s.seed, uint64(i)))}
		group.Go(func() {
			if err := w.run(ctx); err != nil && ctx.Err() == nil {
				s.tally.discrepancy(fmt.Sprintf("worker %d: %v", i, err))
				cancel(err)
			}
		})
	}
	progress := time.NewTicker(15 * time.Second)
	defer progress.Stop()
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return context.Cause(ctx)
		case <-progress.C:
			fmt.Fprintf(s.out, "%s\n", s.tally.operations())
		}
	}
}

// show prints what may tell why an operation did not come to its end: nodes that are not
// Ready, and containers that the kubelet waits to start again.
func (s *soak) show(ctx context.Context) {
	for _, what := range []string{"l2nodes", "pods"} {
		out, err := s.lab.Kubectl(ctx, "-n", v1alpha1.SystemNamespace, "get", what, "-o", "wide")
		if err != nil {
			out = err.Error()
		}
		fmt.Fprintln(s.out, out)
	}
}

// audit runs the product's own in the controller's pod.
func (s *soak) audit(ctx context.Context, when string) error {
	fmt.Fprintf(s.out, "audit %s\n", when)
	ctx, cancel := context.WithTimeout(ctx, settle+time.Minute)
	defer cancel()
	if _, err := s.lab.Kubectl(ctx, "-n", v1alpha1.SystemNamespace, "wait", "--for=condition=Ready", "pods", "--all", "--timeout="+settle.String()); err != nil {
		return err
	}
	out, err := s.lab.Kubectl(ctx, "-n", v1alpha1.SystemNamespace, "exec", "deploy/l2sm-controller", "--", "/usr/bin/l2sm-controller", "audit", "--wait=60s")
	fmt.Fprint(s.out, out)
	if err == nil {
		return nil
	}
	for line := range strings.Lines(out) {
		if strings.TrimSpace(line) != "" {
			s.tally.discrepancy(strings.TrimSpace(line))
		}
	}
	return fmt.Errorf("audit %s: %w", when, err)
}

func (s *soak) removeAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if _, err := s.lab.Kubectl(ctx, "delete", "namespace", namespace, "--timeout="+longest.String()); err != nil {
		return err
	}
	list := &v1alpha1.L2AttachmentList{}
	if err := s.api.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range list.Items {
		s.tally.discrepancy(fmt.Sprintf("L2Attachment %q outlived its namespace", list.Items[i].Name))
	}
	return nil
}
