package main

import (
	"strings"
	"testing"
)

func TestFabricsOptions(t *testing.T) {
	good := fabricsOptions{options: &options{}, nodes: 100, networks: 10, members: 10, changes: 50, losses: 3}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		change func(*fabricsOptions)
		flag   string
	}{
		"Nodes":    {"nodes have three digits", func(o *fabricsOptions) { o.nodes = 101 }, "--nodes=101"},
		"Networks": {"a move needs a second network", func(o *fabricsOptions) { o.networks = 1 }, "--networks=1"},
		"Members":  {"a network has one pod on a node at most", func(o *fabricsOptions) { o.members = 101 }, "--members=101"},
		"Changes":  {"a percentile of nothing is no figure", func(o *fabricsOptions) { o.changes = 0 }, "--changes=0"},
		"Losses":   {"no more can be lost than there are", func(o *fabricsOptions) { o.losses = 101 }, "--losses=101"},
		"NodeOf":   {"a node can't be on more networks than there are", func(o *fabricsOptions) { o.nodeOf = 9 }, "--node-of=9"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := good
			tc.change(&o)
			if err := o.check(); err == nil || !strings.Contains(err.Error(), tc.flag) {
				t.Errorf("%s: got error %v, want one that names %s", tc.reason, err, tc.flag)
			}
		})
	}
}
