package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/scale/stack"
)

// space is the namespace that everything is made in.
const space = "scale"

// scene is one stack at one size, and what is known of it.
type scene struct {
	*stack.Stack
	o        *options
	size     int
	report   *report
	progress io.Writer
	began    time.Time

	api    *watcher
	nb     *northbound
	cancel context.CancelFunc
	pods   int // made so far
}

// open starts a stack, and nodes and watches on it, but no controller.
func (o *options) open(ctx context.Context, size int, r *report, progress io.Writer) (*scene, error) {
	s := &scene{o: o, size: size, report: r, progress: progress, began: time.Now(), cancel: func() {}}
	var err error
	if s.Stack, err = o.newStack(ctx, v1alpha1.FabricCentral, progress); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.close(err))
	}
	return s, nil
}

func (s *scene) prepare(ctx context.Context) error {
	if err := s.Client.Create(ctx, newNamespace(space)); err != nil {
		return fmt.Errorf("create namespace: %w", err)
	}
	_, err := each(ctx, s.o.writers, nodes, func(ctx context.Context, i int) error {
		return s.Client.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i)}})
	})
	if err != nil {
		return fmt.Errorf("create nodes: %w", err)
	}
	watching, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	if s.api, err = watchAPI(watching, s.Config); err != nil {
		return err
	}
	s.nb, err = watchNorthbound(ctx, s.OVN.Socket("nb"))
	return err
}

// close ends everything; after a failure it keeps the logs.
func (s *scene) close(failure error) error {
	s.cancel()
	if s.nb != nil {
		s.nb.Close()
	}
	var kept error
	if failure != nil {
		folder := filepath.Join(s.o.logs, fmt.Sprint(s.size))
		kept = s.KeepLogs(folder)
		s.say("failed, logs are in %s: %v", folder, failure)
	}
	return errors.Join(kept, s.Close())
}

// patience is how long anything may take that grows with the size.
func (s *scene) patience() time.Duration {
	return time.Minute + time.Duration(s.size)*100*time.Millisecond
}

func (s *scene) say(format string, args ...any) {
	fmt.Fprintf(s.progress, "%6d  %6.1fs  %s\n", s.size, time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// note keeps a figure of the report.
func (s *scene) note(part, name, unit string, value float64, g *goal) {
	s.report.line(part, name, unit, g).values[s.size] = value
	s.say("%s, %s: %s %s", part, name, number(value), unit)
}

// sayEvery is the time between two lines that tell how far a long wait has come.
const sayEvery = 10 * time.Second

// await waits until the condition holds, and gives up where the controller ends or takes too long.
func (s *scene) await(ctx context.Context, what string, holds func() bool) error {
	said := time.Now()
	err := stack.Until(ctx, s.patience(), 10*time.Millisecond, what, func() bool {
		if time.Since(said) > sayEvery {
			said = time.Now()
			s.say("waiting until %s: %s", what, s.counts())
		}
		return holds() || s.Controller.Alive() != nil
	})
	if err := errors.Join(err, s.Controller.Alive()); err != nil {
		return fmt.Errorf("%w (%s)", err, s.counts())
	}
	return nil
}

func (s *scene) counts() string {
	networks, programmed, attachments, accepted := s.api.counts()
	switches, ports := s.nb.counts()
	return fmt.Sprintf("%d of %d networks are programmed, %d of %d attachments accepted, %d switches, %d ports",
		programmed, networks, accepted, attachments, switches, ports)
}

// startController starts it and waits until it is ready and has nothing to do.
func (s *scene) startController(ctx context.Context) (ready, quiet time.Duration, err error) {
	began := time.Now()
	if err := s.Controller.Start(); err != nil {
		return 0, 0, err
	}
	if err := s.Controller.AwaitReady(ctx, s.patience()); err != nil {
		return 0, 0, err
	}
	ready = time.Since(began)
	networks, _, _, _ := s.api.counts() // each is compared once
	at, err := s.Controller.AwaitQuiet(ctx, s.patience(), networks)
	return ready, max(ready, at.Sub(began)), err
}

// requests are the calls that the API server got, for what l2sm deals with.
type requests struct{ reads, writes float64 }

func (s *scene) requests(ctx context.Context) (requests, error) {
	m, err := s.APIMetrics(ctx)
	if err != nil {
		return requests{}, err
	}
	var r requests
	for _, resource := range []string{"pods", "l2networks", "l2attachments", "network-attachment-definitions", "namespaces", "nodes", "events"} {
		for _, verb := range []string{"GET", "LIST"} {
			r.reads += m.Sum("apiserver_request_total", "resource", resource, "verb", verb)
		}
		for _, verb := range []string{"POST", "PUT", "PATCH", "APPLY", "DELETE"} {
			r.writes += m.Sum("apiserver_request_total", "resource", resource, "verb", verb)
		}
	}
	return r, nil
}

// create makes an object, naming it in an error.
func (s *scene) create(ctx context.Context, o client.Object) error {
	if err := s.Client.Create(ctx, o); err != nil {
		return fmt.Errorf("create %T %q: %w", o, client.ObjectKeyFromObject(o), err)
	}
	return nil
}
