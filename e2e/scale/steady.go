package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/e2e/scale/stack"
)

const transactions = "l2sm_northbound_transactions_total"

// memory notes what the controller takes at some moment.
func (s *scene) memory(when string) error {
	resident, peak, err := s.Controller.Memory()
	if err != nil {
		return err
	}
	s.note("memory", "controller, "+when, "MiB", resident, atMost(150))
	s.note("memory", "controller, its peak until then", "MiB", peak, nil)
	return nil
}

// idle looks at a system in which nothing happens.
func (s *scene) idle(ctx context.Context) error {
	start, err := s.Controller.Metrics(ctx)
	if err != nil {
		return err
	}
	before := s.Usage()
	if err := pause(ctx, s.o.idle); err != nil {
		return err
	}
	used := s.Usage().Since(before)
	end, err := s.Controller.Metrics(ctx)
	if err != nil {
		return err
	}
	part := fmt.Sprintf("idle for %s", s.o.idle)
	s.note(part, "northbound transactions", "", end.Sum(transactions)-start.Sum(transactions), mustBeNone())
	s.note(part, "controller, CPU", "%", 100*used.CPU[stack.Controlled].Seconds()/s.o.idle.Seconds(), atMost(0.5))
	return nil
}

// restart ends the controller and starts it again.
func (s *scene) restart(ctx context.Context, part string) error {
	if err := s.Controller.Stop(); err != nil {
		return err
	}
	before, err := s.requests(ctx)
	if err != nil {
		return err
	}
	ready, quiet, err := s.startController(ctx)
	if err != nil {
		return err
	}
	after, err := s.requests(ctx)
	if err != nil {
		return err
	}
	m, err := s.Controller.Metrics(ctx)
	if err != nil {
		return err
	}
	_, peak, err := s.Controller.Memory()
	if err != nil {
		return err
	}
	s.note(part, "until ready", "s", ready.Seconds(), nil)
	s.note(part, "until all is compared and nothing is left to do", "s", quiet.Seconds(), nil)
	s.note(part, "controller, CPU", "s", s.Usage().CPU[stack.Controlled].Seconds(), nil)
	s.note(part, "northbound transactions", "", m.Sum(transactions), mustBeNone())
	s.note(part, "API reads: GET, LIST and WATCH", "", m.Sum("rest_client_requests_total", "method", "GET"), nil)
	s.note(part, "API writes", "", after.writes-before.writes, nil)
	s.note(part, "controller, its peak", "MiB", peak, nil)
	return nil
}

// wipe loses the northbound database.
func (s *scene) wipe(ctx context.Context) error {
	switches, ports := s.nb.counts()
	before := s.Usage()
	resume, err := s.OVN.Wipe(ctx)
	began := time.Now()
	defer resume()
	if err != nil {
		return err
	}
	if err := s.nb.dial(ctx); err != nil {
		return err
	}
	err = s.await(ctx, "the northbound database is filled again", func() bool {
		haveSwitches, havePorts := s.nb.counts()
		return haveSwitches >= switches && havePorts >= ports
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	used := s.Usage().Since(before)
	part := "northbound database lost"
	s.note(part, "until every switch and port is back", "s", took.Seconds(), atMost(10))
	s.note(part, "controller, CPU", "s", used.CPU[stack.Controlled].Seconds(), nil)
	resume()
	_, err = s.Controller.AwaitQuiet(ctx, s.patience(), 0)
	return err
}

// manyNamespaces starts the controller in a cluster with many of them, which are removed again.
func (s *scene) manyNamespaces(ctx context.Context) error {
	name := func(i int) string { return fmt.Sprintf("tenant-%03d", i) }
	_, err := each(ctx, s.o.writers, s.o.namespaces, func(ctx context.Context, i int) error {
		return s.create(ctx, newNamespace(name(i)))
	})
	if err != nil {
		return err
	}
	part := fmt.Sprintf("start with %d more namespaces", s.o.namespaces)
	failure := s.restart(ctx, part)
	if failure == nil {
		return nil
	}
	// Without them it starts, so that the rest can be measured.
	s.report.line(part, "until ready", "s", nil).notes[s.size] = failure.Error()
	s.say("%s: FAILED: %v", part, failure)
	if err := s.Controller.Stop(); err != nil {
		return err
	}
	_, err = each(ctx, s.o.writers, s.o.namespaces, func(ctx context.Context, i int) error {
		return client.IgnoreNotFound(s.Client.Delete(ctx, newNamespace(name(i))))
	})
	if err != nil {
		return err
	}
	err = stack.Until(ctx, s.patience(), time.Second, "the namespaces are gone", func() bool {
		return client.IgnoreNotFound(s.Client.Get(ctx, client.ObjectKey{Name: name(s.o.namespaces - 1)}, newNamespace(""))) == nil
	})
	if err != nil {
		return err
	}
	_, _, err = s.startController(ctx)
	return err
}
