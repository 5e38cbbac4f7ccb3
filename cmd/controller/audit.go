package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/internal/audit"
	"l2sm.io/l2sm/internal/pki"
	"l2sm.io/l2sm/ovn"
)

// Exit codes of audit, beside 0.
const (
	exitDiscrepancies = 1
	exitUnseen        = 2
)

const auditLong = `audit compares everything that l2sm keeps with the API, both ways, and changes
nothing. An L2Attachment that has a network and a pod has

  - one logical switch port in OVN's northbound database, as its network says,
  - one port binding in the southbound database, up, on its node's chassis,
  - one port in that node's Open vSwitch, with its host end on the node,
  - its interface in the pod, with its MAC address, addresses and MTU,
  - its addresses in the leading controller's memory, and nobody else has them,
  - when it is Ready, its entry in the pod's annotation network-status.

Another L2Attachment has none of these, and whatever belongs to no L2Attachment,
L2Network or node is reported. Where each node has databases of its own, its agent
says what they hold: of every network with a pod on the node the switch, the ports
and the other nodes' chassis, with their tunnel keys.

It prints a line for each discrepancy, where it is and what is wrong, and a
summary. The exit code is 0 when all is as it should be, 1 when something is
not, and 2 when something could not be looked at. Work that is under way looks
wrong for a moment: with --wait, audit looks again every second until a look is
clean, and at last reports what two looks in a row have found.

It asks every l2sm-agent and l2sm-controller by HTTPS in the name of the service
account l2sm-audit.`

const auditExample = `  # in a cluster: everything that it needs is in the controller's environment
  kubectl -n l2sm-system exec deploy/l2sm-controller -- l2sm-controller audit

  # while pods come and go
  kubectl -n l2sm-system exec deploy/l2sm-controller -- l2sm-controller audit --wait=30s

  # for a program
  kubectl -n l2sm-system exec deploy/l2sm-controller -- l2sm-controller audit -o json`

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	// reason is nil where the code says all.
	reason error
}

func (e *exitError) Error() string {
	if e.reason == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.reason.Error()
}

// newAudit is the subcommand audit.
func newAudit() *cobra.Command {
	o, wait, format := options{}, time.Duration(0), ""
	command := &cobra.Command{
		Use:     "audit",
		Short:   "Compare everything that l2sm keeps with the API, and change nothing",
		Long:    auditLong,
		Example: auditExample,
		Args: func(cmd *cobra.Command, args []string) error {
			return unseen(cobra.NoArgs(cmd, args))
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := runAudit(cmd.Context(), o, wait, format, cmd.ErrOrStderr())
			if err != nil {
				return unseen(err)
			}
			return tell(report, format, cmd.OutOrStdout())
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return unseen(err) })
	o.addClusterFlags(command.Flags())
	command.Flags().StringVar(&o.metricsTLSDir, "metrics-tls-dir", os.Getenv("METRICS_TLS_DIR"),
		"folder with ca.crt, the authority of what agents and controllers serve with (environment: METRICS_TLS_DIR)")
	command.Flags().DurationVar(&wait, "wait", 0, "how long to look again until nothing is wrong")
	command.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return command
}

// unseen is an error that kept audit from looking.
func unseen(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUnseen, err}
}

func runAudit(ctx context.Context, o options, wait time.Duration, format string, progress io.Writer) (audit.Report, error) {
	if format != "text" && format != "json" {
		return audit.Report{}, fmt.Errorf("--output=%s is neither text nor json", format)
	}
	if err := o.check(); err != nil {
		return audit.Report{}, err
	}
	sources, err := auditSources(ctx, o)
	if err != nil {
		return audit.Report{}, err
	}
	say := func(text string) { fmt.Fprintln(progress, text) }
	return audit.Until(ctx, wait, sources.Look, say)
}

func auditSources(ctx context.Context, o options) (audit.Sources, error) {
	sources := audit.Sources{Fabric: o.fabric, Namespace: o.namespace}
	if !o.fabric.Zoned() { // there is none but the nodes', of which agents tell
		certificates, err := pki.Load(o.tlsDir)
		if err != nil {
			return audit.Sources{}, fmt.Errorf("load certificates from --tls-dir: %w", err)
		}
		sources.Northbound = ovn.Config{Endpoints: o.northbound, TLS: certificates}
		sources.Southbound = ovn.Config{Endpoints: o.southbound, TLS: certificates}
	}
	// Of another authority than the databases.
	serving, err := pki.Roots(o.metricsTLSDir)
	if err != nil {
		return audit.Sources{}, fmt.Errorf("load authority from --metrics-tls-dir: %w", err)
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return audit.Sources{}, fmt.Errorf("find the cluster: %w", err)
	}
	config.QPS = -1 // a few calls, and somebody waits
	api, err := newClient(config)
	if err != nil {
		return audit.Sources{}, err
	}
	ask, err := audit.NewWeb(ctx, api, o.namespace, serving)
	if err != nil {
		return audit.Sources{}, err
	}
	maxMTU, err := o.maxMTU()
	if err != nil {
		return audit.Sources{}, err
	}
	sources.API, sources.MaxMTU, sources.Ask = api, maxMTU, ask
	return sources, nil
}

func newClient(config *rest.Config) (client.Client, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	return api, nil
}

// tell prints the report and turns it into an exit code.
func tell(report audit.Report, format string, out io.Writer) error {
	write := report.Text
	if format == "json" {
		write = report.JSON
	}
	if err := write(out); err != nil {
		return &exitError{exitUnseen, fmt.Errorf("write the report: %w", err)}
	}
	switch {
	case len(report.Unseen) > 0:
		return &exitError{code: exitUnseen}
	case len(report.Discrepancies) > 0:
		return &exitError{code: exitDiscrepancies}
	default:
		return nil
	}
}
