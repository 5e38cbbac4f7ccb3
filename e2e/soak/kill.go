package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// victim is a program that is killed.
type victim struct{ name, pattern string }

// victims are those of every fabric: what runs nowhere is passed over. On Zones each
// node has databases and northd of its own, on Central one node has them. Patterns
// are of pgrep -f.
var victims = []victim{
	{"l2sm-controller", "^/usr/bin/l2sm-controller( -|$)"},
	{"l2sm-agent", "^/usr/bin/l2sm-agent( -|$)"},
	{"ovn-controller", "^ovn-controller unix:"},
	{"ovsdb-server of Open vSwitch", "^ovsdb-server --remote=punix:/run/openvswitch/"},
	{"ovsdb-server, northbound", "^ovsdb-server --remote=punix:/run/ovn/ovnnb_db"},
	{"ovsdb-server, southbound", "^ovsdb-server --remote=punix:/run/ovn/ovnsb_db"},
	{"ovn-northd", "^ovn-northd "},
}

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
		program, err := s.killAny(ctx, random)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			fmt.Fprintf(s.out, "kill %s: %v\n", program, err)
		case program != "":
			s.tally.killed(program)
		}
	}
}

// killAny kills one process of a random program among those that run, and names the
// program.
func (s *soak) killAny(ctx context.Context, random *rand.Rand) (string, error) {
	for _, i := range random.Perm(len(victims)) {
		killed, err := s.killOne(ctx, random, victims[i].pattern)
		if killed || err != nil {
			return victims[i].name, err
		}
	}
	return "", nil
}

// killOne kills one process of the program, on a random node that has any.
func (s *soak) killOne(ctx context.Context, random *rand.Rand, pattern string) (bool, error) {
	nodes := slices.Clone(s.lab.Nodes())
	random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	for _, node := range nodes {
		out, err := s.lab.Node(ctx, node, "pgrep", "-f", pattern)
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
