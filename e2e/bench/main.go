// Bench measures, on a running local cluster, where the time of an attach
// goes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:           "bench",
		Short:         "Measure l2sm on a running local cluster (see bin/lab)",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(attachCommand(), hotCommand(), moveCommand(), stormCommand(), nriCommand(), peersCommand(), floorCommand())
	return root.ExecuteContext(ctx)
}

func attachCommand() *cobra.Command {
	o := options{}
	cmd := &cobra.Command{
		Use:   "attach",
		Short: "Measure each stage of an attach, beside the floor",
		Long: `Makes pods on a network one by one, then several at a time, and prints where
the time of each attach goes. Interleaved in the same run:

  - the floor: a small program on the node writes the same logical switch port,
    plugs a veth with the same options and waits for ovn-installed;
  - pods without a network, to tell what one network adds to pod ready.

Run it on an idle cluster with l2sm installed (make demo). Ratios hold from
machine to machine, milliseconds do not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.lab, "lab", "l2sm", "name of the local cluster")
	f.IntVar(&o.serial, "serial", 100, "attaches one by one")
	f.IntVar(&o.rounds, "rounds", 10, "rounds of attaches in parallel")
	f.IntVar(&o.parallel, "parallel", 10, "attaches in parallel in each round")
	f.StringVar(&o.json, "json", "bin/bench.json", "file for the figures")
	return cmd
}
