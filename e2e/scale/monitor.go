package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/scale/stack"
)

const monitorLong = `monitor runs three real ovn-controllers side by side on one southbound database: one that monitors all
of it (ovn-monitor-all=true), one that monitors what its own ports need (false), and one of these that
keeps its old flows for 5 seconds when it starts (ovn-ofctrl-wait-before-clear=5000). Each works on an
Open vSwitch whose devices are made up. While there are N other networks with a port each, it plugs
interfaces on each in turn, and measures from there until Open vSwitch says ovn-installed:

  - the first interface of a network on a node, whose port stands in the database already, as it does
    while a pod's sandbox is made;
  - the next one of that network;
  - the first one where the port is written at the same moment, as for a pod that runs.

It also prints what the N ports elsewhere cost each of them, how many of the node's flows are there
while ovn-controller is killed and starts again (without them pods' traffic would stop), and how long
an interface takes that is plugged at that moment.`

// Columns of the report: a chassis each.
const (
	all  = 1
	some = 2
	kept = 3
)

var (
	columns  = []int{all, some, kept}
	settings = map[int][]string{
		all:  {"ovn-monitor-all=true"},
		some: {"ovn-monitor-all=false"},
		kept: {"ovn-monitor-all=false", "ovn-ofctrl-wait-before-clear=5000"}, // as in manifests/ovn-node/scripts/ovn-controller.sh
	}
)

func newMonitor(o *options) *cobra.Command {
	var sizes []int
	cmd := &cobra.Command{
		Use: "monitor", Short: "Measure what ovn-monitor-all=false costs an attach, and saves", Long: monitorLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := header(cmd.Context(), cmd.OutOrStdout(), o); err != nil {
				return err
			}
			for _, n := range sizes {
				if err := o.monitor(cmd.Context(), n, cmd.OutOrStdout(), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntSliceVar(&sizes, "sizes", []int{100, 1000}, "numbers of other networks")
	return cmd
}

// monitoring is the chassis and the databases.
type monitoring struct {
	*options
	ovn      *stack.OVN
	report   *report
	progress io.Writer
	nb, sb   *database
	plugs    map[int]*plugs
}

func (o *options) monitor(ctx context.Context, n int, out, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "l2sm-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := &monitoring{options: o, progress: progress, plugs: map[int]*plugs{}}
	m.report = &report{sizes: columns, columns: map[int]string{all: "true", some: "false", kept: "false, waits"}}
	err = m.open(ctx, dir)
	if err == nil {
		err = m.measure(ctx, n)
	}
	if err := errors.Join(err, m.close()); err != nil {
		return err
	}
	return m.report.print(out)
}

func (m *monitoring) open(ctx context.Context, dir string) error {
	var err error
	if m.ovn, err = stack.StartOVN(ctx, dir, stack.OVNRoot(m.ovnRoot)); err != nil {
		return err
	}
	if m.nb, err = openDatabase(ctx, m.ovn.Socket("nb"), "OVN_Northbound"); err != nil {
		return err
	}
	if m.sb, err = openDatabase(ctx, m.ovn.Socket("sb"), "OVN_Southbound"); err != nil {
		return err
	}
	for _, i := range columns {
		c, err := m.ovn.StartChassis(ctx, fmt.Sprintf("chassis-%d", i), fmt.Sprintf("chassis-%d", i), fmt.Sprintf("127.0.0.%d", i), settings[i]...)
		if err != nil {
			return err
		}
		m.plugs[i] = &plugs{chassis: c}
		if m.plugs[i].database, err = openDatabase(ctx, c.Socket(), "Open_vSwitch"); err != nil {
			return err
		}
	}
	return nil
}

// close ends what was started, as far as that came.
func (m *monitoring) close() error {
	var errs []error
	for _, p := range m.plugs {
		p.Close()
		errs = append(errs, p.chassis.Stop())
	}
	m.nb.Close()
	m.sb.Close()
	if m.ovn != nil {
		errs = append(errs, m.ovn.Stop())
	}
	return errors.Join(errs...)
}

func (m *monitoring) measure(ctx context.Context, n int) error {
	title := fmt.Sprintf("ovn-monitor-all, beside %d other networks", n)
	if _, err := m.rounds(ctx, 1); err != nil { // one port of its own first, as on a node in use
		return err
	}
	before := m.cpu()
	for from := 0; from < n; from += batch {
		if err := m.nb.networks(ctx, "other", from, min(batch, n-from), 1); err != nil {
			return err
		}
	}
	if err := m.ovn.Sync(ctx); err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil { // ovn-controller is at work a little longer
		return err
	}
	for i, used := range m.cpu() {
		m.note(title, "ovn-controller, CPU for all of them", "s", i, (used - before[i]).Seconds())
	}
	fmt.Fprintf(m.progress, "%d networks elsewhere are there, plugging\n", n)
	before = m.cpu()
	own, err := m.rounds(ctx, m.attaches)
	if err != nil {
		return err
	}
	for i, used := range m.cpu() {
		m.note(title, "ovn-controller, CPU for each interface", "ms", i, milliseconds(used-before[i])/float64(3*m.attaches))
		resident, err := m.plugs[i].chassis.Memory()
		if err != nil {
			return err
		}
		m.note(title, "ovn-controller, memory", "MiB", i, resident)
		for _, p := range []float64{50, 99} {
			for _, what := range order {
				m.note(title, fmt.Sprintf("%s, p%.0f", what, p), "ms", i, percentile(own[i][what], p))
			}
		}
	}
	return m.restarts(ctx, title)
}

func (m *monitoring) note(part, name, unit string, column int, value float64) {
	m.report.line(part, name, unit, nil).values[column] = value
}

func (m *monitoring) cpu() map[int]time.Duration {
	used := map[int]time.Duration{}
	for i, p := range m.plugs {
		used[i] = p.chassis.CPU()
	}
	return used
}
