package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/e2e/scale/stack"
)

const long = `scale starts etcd, kube-apiserver with its garbage collector, OVN's northbound and southbound
databases, ovn-northd and bin/l2sm-controller, all of them real and on this machine only, and
simulates the rest: pods are bound to nodes that don't exist. For each size N it measures

  - the API server's own floor: the same writes while no controller runs;
  - N networks and then N attachments, created at once, against that floor;
  - one more attach on an idle system, p50 and p99, and the CPU time of the controller for it:
    with N networks of one port, and on one network of N ports;
  - memory, an idle minute, a restart, the loss of the northbound database, a start with 208
    namespaces, and the deletion of everything.

It prints a table for each of these with a column for each size and the ratio of each to the first.
Milliseconds depend on the machine, ratios and CPU times for each object do so less: look at the
line that says how busy others kept the machine. It fails where something is left behind, or where
a restart or an idle system writes to the northbound database.`

const example = `  make scale                                  sizes 100, 1,000 and 10,000
  bin/scale --sizes 100 --idle 2s             a minute's look, as CI does
  bin/scale --sizes 100,1000 --parts many     not the network of N ports
  bin/scale tenant                            what one tenant's worst input costs another one
  bin/scale monitor                           what ovn-monitor-all=false costs an attach
  bin/scale fabrics                           one northbound database against one on each node`

// options are what the flags say.
type options struct {
	sizes       []int
	parts       []string
	idle        time.Duration
	attaches    int
	writers     int
	namespaces  int
	controller  string
	ovnRoot     string
	leaderElect bool
	logs        string
}

func newRoot() *cobra.Command {
	o := options{}
	root := &cobra.Command{
		Use:           "scale",
		Short:         "Measure how l2sm's cost grows, on a control plane without nodes",
		Long:          long,
		Example:       example,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := root.Flags()
	f.IntSliceVar(&o.sizes, "sizes", []int{100, 1000, 10000}, "numbers of networks, and of attachments; ratios are to the first")
	f.StringSliceVar(&o.parts, "parts", []string{"many", "one"}, "many: N networks of one port; one: one network of N ports")
	f.DurationVar(&o.idle, "idle", time.Minute, "how long to look at an idle system")
	f.IntVar(&o.namespaces, "namespaces", 208, "namespaces for the start with many of them")
	p := root.PersistentFlags()
	p.IntVar(&o.attaches, "attaches", 50, "attaches, one by one, for p50 and p99")
	p.IntVar(&o.writers, "writers", 16, "API writes at a time, of the floor as of the load")
	p.StringVar(&o.controller, "controller", "bin/l2sm-controller", "the program to measure")
	p.StringVar(&o.ovnRoot, "ovn-root", "", "root file system to take OVN's programs from, such as the unpacked image ovn; default: this machine's")
	p.BoolVar(&o.leaderElect, "leader-elect", false, "have the controller elected, as an installed one is")
	p.StringVar(&o.logs, "logs", "bin/scale-logs", "folder for the logs of a run that failed")
	root.AddCommand(newTenant(&o), newMonitor(&o), newFabrics(&o), newWriters())
	return root
}

// newStack starts everything but the controller.
func (o *options) newStack(ctx context.Context, fabric v1alpha1.Fabric, progress io.Writer) (*stack.Stack, error) {
	repository, err := lab.Repository()
	if err != nil {
		return nil, err
	}
	controller, err := filepath.Abs(o.controller)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(controller); err != nil {
		return nil, fmt.Errorf("find the controller, which `make build` builds: %w", err)
	}
	kubernetes, err := programs(ctx, repository, progress)
	if err != nil {
		return nil, err
	}
	return stack.New(ctx, stack.Options{
		Repository: repository, Kubernetes: kubernetes, Controller: controller, OVN: stack.OVNRoot(o.ovnRoot), LeaderElect: o.leaderElect,
		Fabric: fabric,
	})
}

// programs is the folder of kube-apiserver, as for other tests that need one.
func programs(ctx context.Context, repository string, progress io.Writer) (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	cache, err := lab.DefaultCache()
	if err != nil {
		return "", err
	}
	return lab.Programs(ctx, lab.Options{Cache: cache, Repository: repository, Log: progress})
}
