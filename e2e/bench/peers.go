package main

import (
	"context"
	"fmt"
	"io"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/e2e/lab"
)

func peersCommand() *cobra.Command {
	o := options{}
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "Measure OVN-Kubernetes' layer-2 secondary networks and l2sm's, in one cluster in one run",
		Long: `Makes pods in turn without a network, with one of OVN-Kubernetes' layer-2 secondary
networks, and with one of l2sm, one by one and then several at a time, and prints
how long each takes to be ready, its interface to be added, and it to go again.
Then it makes many networks of each kind at once and a pod on the last one.
Pods end as kubectl delete has them end: they are gone when nothing of them is left
on their node.

What l2sm costs a pod that has no network of it is seen from a run with --bare
before it is installed and another one after it is gone: the second is given the
files of the others.

It needs a cluster of OVN-Kubernetes with l2sm inside it, which make bench-peers
brings up.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.peers(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.lab, "lab", "l2sm", "name of the local cluster")
	f.IntVar(&o.serial, "serial", 30, "pods of each kind one by one")
	f.IntVar(&o.rounds, "rounds", 3, "rounds of pods in parallel")
	f.IntVar(&o.parallel, "parallel", 10, "pods in parallel in each round")
	f.IntVar(&o.networks, "networks", 100, "networks of each kind to make at once, at the end")
	f.StringVar(&o.json, "json", "bin/bench-peers.json", "file for the figures")
	f.BoolVar(&o.bare, "bare", false, "make pods without a network alone: l2sm need not be there")
	f.StringVar(&o.with, "with", "", "with --bare: figures of a run with l2sm, to compare with")
	f.StringVar(&o.without, "without", "", "with --with: figures of another run with --bare, before it")
	return cmd
}

// peer is a kind of pod: with whose network.
type peer struct {
	name        string
	annotations map[string]string
}

const (
	bare   = "no network"
	theirs = "OVN-Kubernetes"
	ours   = "l2sm"
)

// peerNetwork is their network that is like the bench's own.
const peerNetwork = "theirs"

// peerKinds are the kinds of pods, in the order of each round.
var peerKinds = []peer{{bare, nil}, {theirs, map[string]string{nadv1.NetworkAttachmentAnnot: peerNetwork}}, {ours, asking}}

// peerRun is what a kind of pod was seen to do, alone and among others.
type peerRun struct{ alone, together []*timeline }

func (o options) peers(ctx context.Context, out io.Writer) error {
	l, err := lab.Find(o.lab)
	if err != nil {
		return err
	}
	if o.bare {
		return o.barePods(ctx, out, l)
	}
	pods, err := newPods(ctx, l)
	if err != nil {
		return err
	}
	defer pods.end()
	pods.ending = &metav1.DeleteOptions{}
	if err := pods.create(ctx, peerDefinition(peerNetwork)); err != nil {
		return fmt.Errorf("make OVN-Kubernetes' network: %w", err)
	}
	began := time.Now()
	runs, err := o.makePeers(ctx, out, pods, peerKinds)
	if err != nil {
		return err
	}
	if err := pods.readLogs(ctx, began, runs[ours].alone, runs[ours].together); err != nil {
		return err
	}
	if err := pods.readPeerLogs(ctx, began, runs[theirs].alone, runs[theirs].together); err != nil {
		return err
	}
	rows, err := comparePeers(runs)
	if err != nil {
		return err
	}
	memory, err := memoryOfPeers(ctx, l)
	if err != nil {
		return err
	}
	many, err := o.manyNetworks(ctx, out, pods)
	if err != nil {
		return err
	}
	rows = append(append(rows, memory...), many...)
	if err := printRows(out, rows); err != nil {
		return err
	}
	return writeJSON(o.json, rows)
}

// makePeers has the kinds take turns, so that what disturbs the machine disturbs all.
func (o options) makePeers(ctx context.Context, out io.Writer, pods *pods, kinds []peer) (map[string]*peerRun, error) {
	runs := map[string]*peerRun{}
	for _, k := range kinds {
		runs[k.name] = &peerRun{}
	}
	for i := range o.serial {
		if i%10 == 0 {
			fmt.Fprintf(out, "one by one: %d of %d\n", i, o.serial)
		}
		for _, k := range kinds {
			t, err := pods.start(ctx, 1, k.annotations)
			if err != nil {
				return nil, fmt.Errorf("pod with %s: %w", k.name, err)
			}
			runs[k.name].alone = append(runs[k.name].alone, t...)
		}
	}
	for i := range o.rounds {
		fmt.Fprintf(out, "%d in parallel: round %d of %d\n", o.parallel, i+1, o.rounds)
		for _, k := range kinds {
			t, err := pods.start(ctx, o.parallel, k.annotations)
			if err != nil {
				return nil, fmt.Errorf("pods with %s: %w", k.name, err)
			}
			runs[k.name].together = append(runs[k.name].together, t...)
		}
	}
	return runs, nil
}

var peerParts = []struct {
	title string
	of    func(*peerRun) []*timeline
}{{"one by one", func(r *peerRun) []*timeline { return r.alone }}, {"in parallel", func(r *peerRun) []*timeline { return r.together }}}

// comparePeers makes the table; a pod whose attach no log tells of is an error, since a percentile over the rest would lie.
func comparePeers(runs map[string]*peerRun) ([]row, error) {
	var rows []row
	for _, part := range peerParts {
		var ready, adds, gone []row
		for _, k := range peerKinds {
			if runs[k.name] == nil {
				continue
			}
			all := part.of(runs[k.name])
			name := fmt.Sprintf("%s, %s: ", part.title, k.name)
			ready = append(ready, row{name + "pod created -> ready", summarize(each(all, func(t *timeline) time.Duration { return t.ready.Sub(t.created) }))})
			gone = append(gone, row{name + "pod deleted -> gone", summarize(each(all, func(t *timeline) time.Duration { return t.gone.Sub(t.deleted) }))})
			if k.annotations == nil {
				continue
			}
			for _, t := range all {
				if t.returned.IsZero() || t.returned.Before(t.entered) {
					return nil, fmt.Errorf("pod %s, with %s: no log tells of its interface", t.pod, k.name)
				}
			}
			adds = append(adds, row{name + "ADD entered -> returned", summarize(each(all, func(t *timeline) time.Duration { return t.returned.Sub(t.entered) }))})
		}
		rows = append(append(append(rows, ready...), adds...), gone...)
	}
	return rows, nil
}

func each(all []*timeline, took func(*timeline) time.Duration) []float64 {
	var values []float64
	for _, t := range all {
		values = append(values, ms(took(t)))
	}
	return values
}
