package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// victims are the programs that are killed, as the kernel names them. Nodes
// have an ovsdb-server each, and one has those of OVN's databases beside it.
var victims = []string{"l2sm-controller", "l2sm-agent", "ovn-controller", "ovsdb-server"}

// kill kills a random process from time to time, until ctx ends.
func (s *soak) kill(ctx context.Context) {
	if s.killEvery == 0 {
		return
	}
	random := rand.New(rand.NewPCG(s.seed, 1<<32))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.killEvery/2 + rand.N(s.killEvery)):
		}
		program := victims[random.IntN(len(victims))]
		killed, err := s.killOne(ctx, random, program)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			fmt.Fprintf(s.out, "kill %s: %v\n", program, err)
		case killed:
			s.tally.killed(program)
		}
	}
}

// killOne kills one process of the program, on a random node that has any.
func (s *soak) killOne(ctx context.Context, random *rand.Rand, program string) (bool, error) {
	nodes := slices.Clone(s.lab.Nodes())
	random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	for _, node := range nodes {
		out, err := s.lab.Node(ctx, node, "pgrep", "-x", program)
		if err != nil {
			continue // pgrep found none
		}
		pids := strings.Fields(out)
		if len(pids) == 0 {
			continue
		}
		_, err = s.lab.Node(ctx, node, "kill", "-9", pids[random.IntN(len(pids))])
		return err == nil, err
	}
	return false, nil
}
