package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"l2sm.io/l2sm/e2e/scale/stack"
)

// Names in usage, beside those of the stack.
const (
	zoneWriters    = "zone writers"
	ovnControllers = "ovn-controllers"
)

// fabricParts are what a fabric costs; kube-apiserver and etcd serve others, too.
var fabricParts = []string{stack.Controlled, zoneWriters, stack.NB, stack.SB, stack.Northd, ovnControllers, stack.APIServer, stack.Etcd}

// perPart is a figure of each part, and of all of them.
type perPart map[string]float64

func (p perPart) sum() float64 {
	total := 0.0
	for _, part := range fabricParts {
		total += p[part]
	}
	return total
}

// pids are the processes of each part.
func (s *fabricScene) pids() map[string][]int {
	pids := map[string][]int{}
	for name, pid := range s.PIDs() {
		pids[name] = append(pids[name], pid)
	}
	if s.fabric.Zoned() { // else the stack has told
		for _, z := range s.zones {
			for name, pid := range z.PIDs() {
				pids[name] = append(pids[name], pid)
			}
		}
	}
	for _, c := range s.chassis {
		pids[ovnControllers] = append(pids[ovnControllers], c.PID())
	}
	if s.writers != nil {
		pids[zoneWriters] = []int{s.writers.pid()}
	}
	return pids
}

// usage is what each part, the load program and the machine have used.
func (s *fabricScene) usage() stack.Usage {
	u := s.Usage()
	for name, pids := range s.pids() {
		u.CPU[name] = 0
		for _, pid := range pids {
			u.CPU[name] += stack.CPU(pid)
		}
	}
	return u
}

// others is the CPU time of what isn't ours.
func others(used stack.Usage) time.Duration {
	rest := used.CPU[stack.Machine]
	for name, cpu := range used.CPU {
		if name != stack.Machine {
			rest -= cpu
		}
	}
	return max(0, rest)
}

// memory notes what the parts take when all stands.
func (s *fabricScene) memory(context.Context) error {
	resident, proportional := perPart{}, perPart{}
	for name, pids := range s.pids() {
		for _, pid := range pids {
			rss, _, err := stack.Memory(pid)
			if err != nil {
				return err
			}
			pss, err := stack.Proportional(pid)
			if err != nil {
				return err
			}
			resident[name] += rss
			proportional[name] += pss
		}
	}
	part := "memory, of all nodes"
	for _, name := range fabricParts {
		if resident[name] > 0 {
			s.note(part, name+", RSS", "MiB", resident[name], nil)
			s.note(part, name+", PSS", "MiB", proportional[name], nil)
		}
	}
	s.note(part, "northbound + southbound + northd, PSS", "MiB", proportional[stack.NB]+proportional[stack.SB]+proportional[stack.Northd], nil)
	s.note(part, "the same, of one machine that has them", "MiB",
		(proportional[stack.NB]+proportional[stack.SB]+proportional[stack.Northd])/float64(len(s.zones)), nil)
	s.note(part, "all parts, PSS", "MiB", proportional.sum(), nil)
	if s.writers == nil {
		return nil
	}
	state, err := s.writers.state()
	if err != nil {
		return err
	}
	s.note(part, "zone writer's heap, of one node", "MiB", float64(state.Heap)/(1<<20)/float64(s.o.nodes), nil)
	return nil
}

// lookIdle looks at a system in which nothing happens.
func (s *fabricScene) lookIdle(ctx context.Context) error {
	if _, err := s.Controller.AwaitQuiet(ctx, s.patience(), 0); err != nil {
		return err
	}
	if err := pause(ctx, 5*time.Second); err != nil { // what northd and the API server put off
		return err
	}
	asked, err := s.requests(ctx)
	if err != nil {
		return err
	}
	committed, err := s.commits()
	if err != nil {
		return err
	}
	before := s.usage()
	if err := pause(ctx, s.o.idle); err != nil {
		return err
	}
	used := s.usage().Since(before)
	took := used.At.Sub(before.At).Seconds()
	since, err := s.commits()
	if err != nil {
		return err
	}
	answered, err := s.requests(ctx)
	if err != nil {
		return err
	}
	part := fmt.Sprintf("idle for %s", s.o.idle)
	s.note(part, "transactions in all databases", "", float64(since-committed), mustBeNone())
	s.note(part, "API writes", "", answered.writes-asked.writes, mustBeNone())
	s.idle = perPart{}
	for _, name := range fabricParts {
		s.idle[name] = used.CPU[name].Seconds() / took
		s.note(part, name+", CPU", "%", 100*s.idle[name], nil)
	}
	s.note(part, "all parts, CPU", "%", 100*s.idle.sum(), nil)
	return nil
}

// commits are the transactions in all databases' files.
func (s *fabricScene) commits() (int, error) {
	n := 0
	for _, z := range s.zones {
		for _, name := range []string{"nb", "sb"} {
			log, err := os.ReadFile(z.File(name))
			if err != nil {
				return 0, err
			}
			n += bytes.Count(log, []byte("OVSDB JSON "))
		}
	}
	return n, nil
}

// recomputes is how often a northd has translated all that it reads, of all of them.
func (s *fabricScene) recomputes(ctx context.Context) (int, error) {
	n := 0
	for _, z := range s.zones {
		one, err := z.Recomputes(ctx)
		if err != nil {
			return 0, err
		}
		n += one
	}
	return n, nil
}

// requests are the calls that the API server got, for what l2sm deals with.
func (s *fabricScene) requests(ctx context.Context) (requests, error) {
	return (&scene{Stack: s.Stack}).requests(ctx)
}

// noteCPU notes what each part took for each of n changes, beyond what it takes idle.
// A change concerns so many nodes, each with its part of it where it has databases.
func (s *fabricScene) noteCPU(part, what string, n, concerned int, used stack.Usage, took time.Duration) {
	cost := perPart{}
	for _, name := range fabricParts {
		cost[name] = (milliseconds(used.CPU[name]) - s.idle[name]*milliseconds(took)) / float64(n)
		s.note(part, name+", CPU for each "+what, "ms", cost[name], nil)
	}
	s.note(part, "all parts, CPU for each "+what, "ms", cost.sum(), nil)
	s.note(part, "the same without API server and etcd", "ms", cost.sum()-cost[stack.APIServer]-cost[stack.Etcd], nil)
	machines := 1.0
	if s.fabric.Zoned() {
		machines = float64(concerned)
	}
	s.note(part, "databases, northd and writer, on one machine that has them", "ms",
		(cost[zoneWriters]+cost[stack.NB]+cost[stack.SB]+cost[stack.Northd])/machines, nil)
	s.note(part, "processors kept busy by others meanwhile", "", others(used).Seconds()/took.Seconds(), nil)
}
