package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"github.com/spf13/cobra"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/lab"
)

func nriCommand() *cobra.Command {
	o := options{}
	cmd := &cobra.Command{
		Use:   "nri",
		Short: "Measure pod ready with the interface by NRI, beside Multus and beside no network",
		Long: `Makes pods one by one, in turn without a network, with one by Multus' ADD, and
with one by the container runtime's NRI, and prints the time to pod ready of each.

It needs a cluster with Multus whose runtime offers NRI, and l2sm without the
policy that adds Multus' entry, which the bench writes itself:

  bin/lab up --runtime containerd-2
  L2SM_OVERLAY=manifests/overlays/nri make install`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.nri(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.lab, "lab", "l2sm", "name of the local cluster")
	f.IntVar(&o.serial, "count", 50, "pods of each kind")
	f.StringVar(&o.json, "json", "bin/bench-nri.json", "file for the figures")
	return cmd
}

// asking are the annotations of a pod that asks for a network, and byMultus those
// of one whose interface Multus' ADD makes.
var (
	asking   = map[string]string{v1alpha1.NetworksAnnotation: networkName}
	byMultus = map[string]string{v1alpha1.NetworksAnnotation: networkName, nadv1.NetworkAttachmentAnnot: systemNS + "/" + v1alpha1.PodNetworksNAD}
)

// ways are the kinds of pods, in the order of each round.
var ways = []struct {
	name        string
	annotations map[string]string
}{{"no network", nil}, {"Multus", byMultus}, {"NRI", asking}}

func (o options) nri(ctx context.Context, out io.Writer) error {
	l, err := lab.Find(o.lab)
	if err != nil {
		return err
	}
	pods, err := newPods(ctx, l)
	if err != nil {
		return err
	}
	defer pods.end()
	began := time.Now()
	made := make([][]*timeline, len(ways))
	for i := range o.serial {
		if i%10 == 0 {
			fmt.Fprintf(out, "round %d of %d\n", i, o.serial)
		}
		for w, way := range ways {
			t, err := pods.start(ctx, 1, way.annotations)
			if err != nil {
				return fmt.Errorf("pod by %s: %w", way.name, err)
			}
			made[w] = append(made[w], t...)
		}
	}
	if err := pods.readLogs(ctx, began, made[1], made[2]); err != nil {
		return err
	}
	rows, err := compareWays(made)
	if err != nil {
		return err
	}
	if err := printRows(out, rows); err != nil {
		return err
	}
	return writeJSON(o.json, rows)
}

// compareWays makes the table; a pod that was not attached in time has no times in
// the log, and is an error.
func compareWays(made [][]*timeline) ([]row, error) {
	var rows []row
	for w, way := range ways {
		var ready, attach []float64
		for _, t := range made[w] {
			ready = append(ready, ms(t.ready.Sub(t.created)))
			if way.annotations == nil {
				continue
			}
			if t.returned.IsZero() || t.returned.After(t.ready) {
				return nil, fmt.Errorf("pod %s was not attached by %s before it started", t.pod, way.name)
			}
			attach = append(attach, ms(t.returned.Sub(t.entered)))
		}
		rows = append(rows, row{"pod created -> pod ready, " + way.name, summarize(ready)})
		if attach != nil {
			rows = append(rows, row{"  of it in the agent, entered -> returned", summarize(attach)})
		}
	}
	return rows, nil
}

func printRows(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nms\tn\tp50\tp95\tp99\t\n")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t\n", row.Name, row.N, row.P50, row.P95, row.P99)
	}
	return w.Flush()
}
