// Soak attaches, detaches and moves on a running local cluster for a long time,
// while l2sm's and OVN's processes are killed at random, and looks for whatever
// is left behind, missing, or given out twice.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	lab        string
	operations int
	workers    int
	killEvery  time.Duration
	seed       uint64
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	o := options{}
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Attach, detach and move for a long time, under kills, and look for leaks",
		Long: `Works on a running local cluster with l2sm (make demo). Workers make and remove
pods under the same names, StatefulSets' pods and Jobs, networks, attachments of
running pods, and move attachments, while controllers, agents, ovn-controllers,
northds and ovsdb-servers are killed (-9) at random: on fabric Central those of the
one node that has them, on Zones any node's.

On every change of an L2Attachment it checks that no address and no MAC address
is given out twice. At the end, and once more when all is removed, it runs
l2sm-controller audit, which compares the API, OVN's databases (the central ones
or each node's), Open vSwitch, the nodes' links and the pods. A discrepancy, or an operation that does not come
to its end, fails the run.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.lab, "lab", "l2sm", "name of the local cluster")
	f.IntVar(&o.operations, "operations", 2000, "attaches, detaches and moves to carry out")
	f.IntVar(&o.workers, "workers", 5, "how many work at the same time")
	f.DurationVar(&o.killEvery, "kill-every", 10*time.Second, "how often a random process is killed; 0 for never")
	f.Uint64Var(&o.seed, "seed", 1, "what is random follows from it, but for time")
	return cmd.ExecuteContext(ctx)
}
