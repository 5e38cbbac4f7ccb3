// Kernel-vm runs a command under Debian's stock kernel, in a virtual machine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/kernel/vm"
	"l2sm.io/l2sm/e2e/lab"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := 0
	if err := newRoot(&code).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kernel-vm:", err)
		return 1
	}
	return code
}

func newRoot(code *int) *cobra.Command {
	root := &cobra.Command{
		Use:   "kernel-vm",
		Short: "Run a command under Debian's stock kernel, in a virtual machine",
		Long: `kernel-vm boots Debian's stock kernel in qemu, without hardware support, with this machine's files read-only beneath
a tmpfs, so that what the command writes is gone with it. The command's output is passed through, its exit code is
kernel-vm's. What listens on this machine's 127.0.0.1 is at 10.0.2.2 there.`,
		Example: `  kernel-vm run -- uname -r
  kernel-vm run --timeout 5m -- bash -c 'modprobe openvswitch && ovs-dpctl dump-dps'
  kernel-vm run --stack --controller -- bash -c 'echo $KUBECONFIG $L2SM_NB $L2SM_SB'`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRun(code))
	return root
}

func newRun(code *int) *cobra.Command {
	o := vm.Options{Stdout: os.Stdout, Log: os.Stderr}
	withStack, withController := false, false
	cmd := &cobra.Command{
		Use:   "run COMMAND [ARGS...]",
		Short: "Boot, run the command, power off",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Args = args
			if err := complete(&o); err != nil {
				return err
			}
			if withStack {
				s, err := startStack(cmd.Context(), withController, o.Log)
				if err != nil {
					return err
				}
				defer s.close(&err)
				o.Env = append(o.Env, s.env...)
			}
			*code, err = vm.Run(cmd.Context(), o)
			return err
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 10*time.Minute, "end the guest after that time, whatever it does")
	cmd.Flags().StringVar(&o.Memory, "memory", "4G", "memory of the guest")
	cmd.Flags().StringArrayVar(&o.Env, "env", nil, "KEY=VALUE for the command; may be repeated")
	cmd.Flags().BoolVar(&withStack, "stack", false, "run kube-apiserver and OVN's central programs outside, for the command to use")
	cmd.Flags().BoolVar(&withController, "controller", false, "with --stack: l2sm-controller as well")
	return cmd
}

// complete fills in what depends on where the program is and runs.
func complete(o *vm.Options) error {
	cache, err := lab.DefaultCache()
	if err != nil {
		return err
	}
	o.Cache = string(cache)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o.Init = filepath.Join(filepath.Dir(self), "kernel-init")
	o.Dir, err = os.Getwd()
	return err
}
