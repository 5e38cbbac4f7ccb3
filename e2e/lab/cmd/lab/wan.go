package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/lab"
)

func newWAN(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wan",
		Short: "Connect clusters by a network between their last nodes",
		Long: `Connect clusters that are up by a network between their edges: each cluster's last node gets eth2 with
an address of 10.252.0.0/24. Nothing else of the clusters meets, and all of them may have the same addresses.

With l2sm, EDGE_INTERFACE=eth2 has Open vSwitch's datapath in user space send tunnels there, as
manifests/overlays/lab-edge says. It takes eth2 when it starts: connect clusters before you install l2sm, or delete
the node's pod of ovn-node afterwards.

The network is the first cluster's, and goes with it. Frames in it: ip netns exec NAME-wan tcpdump -ni wan`,
		Example: `  lab --name east up --nodes 1
  lab --name west up --nodes 1
  lab wan up east west
  lab wan down east west`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newWANUp(f), newWANDown(f))
	return cmd
}

func newWANUp(f *flags) *cobra.Command {
	var edges int
	cmd := &cobra.Command{
		Use:   "up NAME NAME...",
		Short: "Connect the clusters; leave what is connected as it is",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, names []string) error {
			nodes, err := lab.ConnectWAN(lab.Cache(f.cache), names, edges)
			for _, n := range nodes {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: node %s has %s on %s\n", n.Lab, n.Node, n.Address, n.Interface)
			}
			return err
		},
	}
	cmd.Flags().IntVar(&edges, "edges", 1, "how many nodes of each cluster, the last ones")
	return cmd
}

func newWANDown(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "down NAME NAME...",
		Short: "Disconnect the clusters, named in the same order",
		Args:  cobra.MinimumNArgs(2),
		RunE:  func(_ *cobra.Command, names []string) error { return lab.DisconnectWAN(lab.Cache(f.cache), names) },
	}
}
