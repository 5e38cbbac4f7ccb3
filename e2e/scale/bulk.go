package main

import (
	"context"
	"time"

	"l2sm.io/l2sm/e2e/scale/stack"
)

// bulk is objects that are created at once.
type bulk struct {
	what   string // one of them
	part   string
	n      int
	floor  float64 // how many a second the API server takes at best; 0 where that isn't compared
	create func(ctx context.Context, i int) error
	done   func() bool // all have what they need
}

// run creates them, waits until all have what they need and nothing is left to do, and notes what it took.
func (b bulk) run(ctx context.Context, s *scene) error {
	asked, err := s.requests(ctx)
	if err != nil {
		return err
	}
	before, began := s.Usage(), time.Now()
	if _, err := each(ctx, s.o.writers, b.n, b.create); err != nil {
		return err
	}
	s.say("%s: all %d are created, waiting for what follows", b.part, b.n)
	if err := s.await(ctx, b.part+" are complete", b.done); err != nil {
		return err
	}
	took := time.Since(began)
	if _, err := s.Controller.AwaitQuiet(ctx, s.patience(), 0); err != nil {
		return err
	}
	used := s.Usage().Since(before)
	answered, err := s.requests(ctx)
	if err != nil {
		return err
	}
	b.note(s, took, used, requests{answered.reads - asked.reads, answered.writes - asked.writes})
	return nil
}

func (b bulk) note(s *scene, took time.Duration, used stack.Usage, r requests) {
	n := float64(b.n)
	rate := n / took.Seconds()
	s.note(b.part, "rate", "1/s", rate, nil)
	if b.floor > 0 {
		s.note(b.part, "rate, of the floor's", "%", 100*rate/b.floor, nil)
	}
	for _, process := range []string{stack.Controlled, stack.NB, stack.APIServer, stack.Etcd, stack.Northd, stack.SB} {
		s.note(b.part, process+", CPU for each "+b.what, "ms", milliseconds(used.CPU[process])/n, nil)
	}
	s.note(b.part, "controller + northbound, of kube-apiserver's CPU", "%",
		100*float64(used.CPU[stack.Controlled]+used.CPU[stack.NB])/float64(used.CPU[stack.APIServer]), atMost(25))
	s.note(b.part, "API writes for each "+b.what+", the user's included", "", r.writes/n, nil)
	s.note(b.part, "API reads for each "+b.what, "", r.reads/n, nil)
	s.note(b.part, "processors kept busy by others meanwhile", "", s.others(used).Seconds()/took.Seconds(), nil)
}

// others is the CPU time that was used by what isn't ours.
func (s *scene) others(used stack.Usage) time.Duration {
	rest := used.CPU[stack.Machine]
	for name, cpu := range used.CPU {
		if name != stack.Machine {
			rest -= cpu
		}
	}
	return max(0, rest)
}

// networksAtOnce makes one network for each, from the first name on.
func (s *scene) networksAtOnce(ctx context.Context, n int, subnet func(int) string, floor float64) error {
	b := bulk{
		what: "network", part: "networks, all at once", n: n, floor: floor,
		create: func(ctx context.Context, i int) error {
			return s.create(ctx, newNetwork(space, networkName(i), subnet(i)))
		},
		done: func() bool {
			_, programmed, _, _ := s.api.counts()
			switches, _ := s.nb.counts()
			return programmed >= n && switches >= n
		},
	}
	return b.run(ctx, s)
}

// podsAtOnce makes pods with one interface each, over so many networks.
func (s *scene) podsAtOnce(ctx context.Context, part string, n, networks int, floor float64) error {
	first := s.pods
	s.pods += n
	b := bulk{
		what: "attachment", part: part, n: n, floor: floor,
		create: func(ctx context.Context, i int) error {
			return s.create(ctx, newPod(space, podName(first+i), networkName(i%networks), nodeName(i)))
		},
		done: func() bool {
			_, _, _, accepted := s.api.counts()
			_, ports := s.nb.counts()
			return accepted >= s.pods && ports >= s.pods
		},
	}
	return b.run(ctx, s)
}
