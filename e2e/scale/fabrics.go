package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/internal/ovs/ovnimage"
)

const fabricsLong = `fabrics measures fabric Central against fabric Zones, one after the other in one run, on nodes that have no
kernel's part: etcd, kube-apiserver and l2sm-controller are real on both. On Central there are one northbound and one
southbound database and one ovn-northd; on Zones as many of each as there are nodes, and the zone writer of every node's
l2sm-agent, all of them in one process, each with a connection of its own to the API server. No zone is simulated. On
both every node has a real ovn-controller on an Open vSwitch whose devices are made up; the rest of l2sm-agent is missing.

Each node has a pod on --networks networks, and each network has --members pods, on as many nodes. It measures

  - memory of every part, an idle system, and what it writes;
  - one more pod, and one move of a pod's interface to another network: from there until the southbound database of
    every node that has to know has the port, bound to its chassis; and the CPU time of all parts for it, without what they take idle;
  - a northbound database that is lost, until it is whole and translated again.

With --node-of N it measures one node instead, with a pod on --networks of N networks, against one in a cluster that has
no other networks.`

const fabricsExample = `  bin/scale fabrics --nodes 100 --networks 10               networks of 10 members
  bin/scale fabrics --nodes 100 --networks 10 --members 100 every network on every node
  bin/scale fabrics --node-of 10000                         one node with 10 of 10,000 networks`

type fabricsOptions struct {
	*options
	nodes, networks, members int
	changes, losses          int
	idle                     time.Duration
	image                    string
	controllers              bool
	nodeOf                   int
}

func newFabrics(shared *options) *cobra.Command {
	o := &fabricsOptions{options: shared}
	cmd := &cobra.Command{
		Use: "fabrics", Short: "Measure fabric Central against Zones", Long: fabricsLong, Example: fabricsExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.nodes, "nodes", 100, "nodes, 2 to 100")
	f.IntVar(&o.networks, "networks", 10, "networks that each node has a pod on")
	f.IntVar(&o.members, "members", 10, "pods on each network, at most one on a node")
	f.IntVar(&o.changes, "changes", 50, "attaches, and moves, one by one, for p50, p95 and CPU")
	f.IntVar(&o.losses, "losses", 3, "northbound databases that are lost, one after the other")
	f.DurationVar(&o.idle, "idle", 20*time.Second, "how long to look at an idle system")
	f.StringVar(&o.image, "ovn-image", os.Getenv("L2SM_TEST_OVN_IMAGE"), "file of the product's image of OVN to take its programs from, where --ovn-root does not say: `bin/lab images` makes bin/images/ovn.tar (environment: L2SM_TEST_OVN_IMAGE)")
	f.BoolVar(&o.controllers, "controllers", true, "run every node's Open vSwitch, whose devices are made up, and ovn-controller: 3 processes a node")
	f.IntVar(&o.nodeOf, "node-of", 0, "measure one node in a cluster of so many networks")
	return cmd
}

func (o *fabricsOptions) check() error {
	switch {
	case o.nodes < 2 || o.nodes > nodes:
		return fmt.Errorf("--nodes=%d is not between 2 and %d", o.nodes, nodes)
	case o.networks < 2 || o.networks > 100:
		return fmt.Errorf("--networks=%d is not between 2 and 100: a move needs another network", o.networks)
	case o.members < 1 || o.members > o.nodes:
		return fmt.Errorf("--members=%d is not between 1 and --nodes=%d", o.members, o.nodes)
	case o.changes < 1 || o.losses < 1 || o.losses > o.nodes:
		return fmt.Errorf("--changes=%d and --losses=%d must be at least 1, and no more databases be lost than there are nodes", o.changes, o.losses)
	case o.nodeOf != 0 && (o.nodeOf < o.networks || o.nodeOf > 60000):
		return fmt.Errorf("--node-of=%d is not between --networks=%d and 60000", o.nodeOf, o.networks)
	}
	return nil
}

func (o *fabricsOptions) run(ctx context.Context, out, progress io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	root, remove, err := o.unpack()
	if err != nil {
		return err
	}
	defer remove()
	o.ovnRoot = root
	if err := header(ctx, out, o.options); err != nil {
		return err
	}
	report, err := o.compare(ctx, progress)
	if err != nil {
		return err
	}
	if err := report.print(out); err != nil {
		return err
	}
	if failures := report.failures(); len(failures) > 0 {
		return errors.New(strings.Join(failures, "\n"))
	}
	return nil
}

func (o *fabricsOptions) compare(ctx context.Context, progress io.Writer) (*report, error) {
	if o.nodeOf > 0 {
		return o.compareNode(ctx, progress)
	}
	r := &report{sizes: []int{1, 2}, columns: map[int]string{1: string(v1alpha1.FabricCentral), 2: string(v1alpha1.FabricZones)}}
	for i, fabric := range []v1alpha1.Fabric{v1alpha1.FabricCentral, v1alpha1.FabricZones} {
		s := &fabricScene{o: o, fabric: fabric, column: i + 1, report: r, progress: progress, began: time.Now()}
		if err := s.run(ctx); err != nil {
			return nil, fmt.Errorf("fabric %s: %w", fabric, err)
		}
	}
	return r, nil
}

// unpack returns the root file system of OVN's programs, and removes what it made of it when it is called.
func (o *fabricsOptions) unpack() (root string, remove func(), err error) {
	if o.ovnRoot != "" {
		return o.ovnRoot, func() {}, nil
	}
	image := o.image
	if image == "" {
		repository, err := lab.Repository()
		if err != nil {
			return "", nil, err
		}
		image = filepath.Join(repository, "bin", "images", "ovn.tar")
	}
	if _, err := os.Stat(image); err != nil {
		return "", nil, fmt.Errorf("find the image of OVN, which `bin/lab images` makes, or name another root by --ovn-root: %w", err)
	}
	dir, err := os.MkdirTemp("", "l2sm-ovn-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	if err := ovnimage.Unpack(image, dir); err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}
