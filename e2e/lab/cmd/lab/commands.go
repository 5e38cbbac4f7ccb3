package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/e2e/lab/node"
)

// flags that all commands share.
type flags struct {
	name  string
	cache string
}

func (f *flags) open() (*lab.Lab, error) { return lab.Open(lab.Cache(f.cache), f.name) }

func newCommand() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		// Other programs get paths below the cache, and work elsewhere.
		PersistentPreRunE: func(*cobra.Command, []string) error {
			var err error
			f.cache, err = filepath.Abs(f.cache)
			return err
		},
		Use:   "lab",
		Short: "A real Kubernetes cluster on this machine, without Docker",
		Long: `lab runs a real Kubernetes cluster on this machine: etcd, API server, controllers and scheduler in one
network namespace, and every node in namespaces of its own with its own containerd, kubelet and kube-proxy.
Nodes have eth0 (the cluster's main network) and eth1 (for tunnels). Multus and CoreDNS are there; l2sm is
not: apply its manifests as you would on any cluster.`,
		Example: `  lab up                                  three nodes: n1, n2, n3
  lab load bin/images/agent.tar           give the nodes an image
  lab kubectl apply -k manifests/overlays/lab
  lab node n1 ovs-vsctl show              run something on a node
  lab down                                leave nothing behind`,
		SilenceUsage:  true,
		SilenceErrors: true,
		// Flags before the name of a command are lab's, also when those behind it are another program's.
		TraverseChildren: true,
	}
	root.PersistentFlags().StringVar(&f.name, "name", lab.DefaultName, "the cluster, of several on one machine")
	root.PersistentFlags().StringVar(&f.cache, "cache", defaultCache(), "folder of programs, images and the clusters' state")
	root.AddCommand(
		newUp(f), newDown(f), newStatus(f), newKubectl(f), newNbctl(f), newNode(f), newStop(f), newStart(f), newLoad(f), newImages(f), newBinaries(f), newWAN(f),
		newNodeInit(), newForwardAPI(),
	)
	return root
}

func defaultCache() string {
	cache, err := lab.DefaultCache()
	if err != nil {
		return "" // then --cache has to be given
	}
	return string(cache)
}

func newUp(f *flags) *cobra.Command {
	var nodes int
	var runtime, kubernetes, mainCNI string
	var noMultus bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the cluster up; leave it as it is if it is up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			repository, err := lab.Repository()
			if err != nil {
				return err
			}
			l, err := lab.Up(cmd.Context(), lab.Options{
				Cache: lab.Cache(f.cache), Repository: repository, Name: f.name, Nodes: nodes, Runtime: runtime, Kubernetes: kubernetes,
				MainCNI: mainCNI, NoMultus: noMultus, Log: cmd.OutOrStdout(),
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "\nkubectl: bin/lab kubectl ..., or export KUBECONFIG=%s\n", l.Kubeconfig())
			return nil
		},
	}
	cmd.Flags().IntVar(&nodes, "nodes", 3, "number of nodes")
	addKubernetesFlag(cmd, &kubernetes)
	cmd.Flags().StringVar(&runtime, "runtime", lab.DefaultRuntime, "container runtime: "+strings.Join(lab.Runtimes(), ", "))
	cmd.Flags().StringVar(&mainCNI, "main-cni", lab.DefaultMainCNI, "plugin of the main network: "+strings.Join(lab.MainCNIs(), ", "))
	cmd.Flags().BoolVar(&noMultus, "no-multus", false, "leave Multus out: nodes have their main network's plugin alone")
	return cmd
}

func addKubernetesFlag(cmd *cobra.Command, version *string) {
	cmd.Flags().StringVar(version, "kubernetes", "", "minor version of Kubernetes, such as 1.34 (default: that of e2e/lab/build/kubernetes/go.mod)")
}

func newDown(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove the cluster and all that it left on the machine",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return lab.Down(lab.Cache(f.cache), f.name) },
	}
}

func newStatus(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the cluster's processes, nodes and pods",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := f.open()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
			for _, p := range l.Status() {
				state := "ended"
				if p.Running {
					state = fmt.Sprintf("running, pid %d", p.PID)
				}
				fmt.Fprintf(w, "%s\t%s\n", p.Name, state)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout())
			return attach(l.KubectlCommand(cmd.Context(), "get", "nodes,pods", "--all-namespaces", "--output=wide"))
		},
	}
}

func newKubectl(f *flags) *cobra.Command {
	return passThrough("kubectl ARGS...", "Run kubectl as administrator", f,
		func(ctx context.Context, l *lab.Lab, args []string) (*exec.Cmd, error) {
			return l.KubectlCommand(ctx, args...), nil
		})
}

func newNbctl(f *flags) *cobra.Command {
	return passThrough("nbctl ARGS...", "Run ovn-nbctl beside OVN's northbound database", f,
		func(ctx context.Context, l *lab.Lab, args []string) (*exec.Cmd, error) {
			return l.NbctlCommand(ctx, args...), nil
		})
}

func newNode(f *flags) *cobra.Command {
	cmd := passThrough("node NAME COMMAND...", "Run a command in a node's namespaces", f,
		func(ctx context.Context, l *lab.Lab, args []string) (*exec.Cmd, error) {
			return l.NodeCommand(ctx, args[0], args[1:]...)
		})
	cmd.Args = cobra.MinimumNArgs(2)
	cmd.DisableFlagParsing = false
	cmd.Flags().SetInterspersed(false) // flags of the command stand behind the node's name
	cmd.Long = `Run a command in all namespaces of a node, as on its console. The node shares the machine's root file
system; its own are /run, /etc/cni, /opt/cni, /var/lib/{cni,containerd,kubelet,l2sm} and
/var/log/{pods,containers}.`
	cmd.Example = `  lab node n1 ip address
  lab node n2 ctr -n k8s.io images ls
  lab node n3 bash`
	return cmd
}

// apiServer stands where a node's name may stand in stop and start.
const apiServer = "apiserver"

func newStop(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "stop NODE|apiserver",
		Short: "Cut a node's power, its disk stays; or kill the API server",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := f.open()
			if err != nil {
				return err
			}
			if args[0] == apiServer {
				return l.StopAPI()
			}
			return l.StopNode(args[0])
		},
	}
}

func newStart(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "start NODE|apiserver",
		Short: "Boot a node, or start the API server, that was stopped",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := f.open()
			if err != nil {
				return err
			}
			if args[0] == apiServer {
				return l.StartAPI(cmd.Context())
			}
			return l.StartNode(cmd.Context(), args[0])
		},
	}
}

// passThrough is a command whose arguments, flags included, are those of another program.
func passThrough(use, short string, f *flags, command func(context.Context, *lab.Lab, []string) (*exec.Cmd, error)) *cobra.Command {
	return &cobra.Command{
		Use:                use,
		Short:              short,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := f.open()
			if err != nil {
				return err
			}
			// An interrupt is the other program's to answer.
			c, err := command(context.WithoutCancel(cmd.Context()), l, args)
			if err != nil {
				return err
			}
			return attach(c)
		},
	}
}

// childError is the failure of kubectl and the like: they have said why, and their exit code becomes ours.
type childError struct{ *exec.ExitError }

func attach(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return childError{exit}
	}
	return err
}

func newLoad(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "load IMAGE.tar...",
		Short: "Import images into every node",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			l, err := f.open()
			if err != nil {
				return err
			}
			for _, file := range files {
				if err := l.Load(cmd.Context(), file); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newBinaries(f *flags) *cobra.Command {
	var kubernetes string
	cmd := &cobra.Command{
		Use:   "binaries",
		Short: "Print the folder of kube-apiserver, etcd and kubectl; build them if need be",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			repository, err := lab.Repository()
			if err != nil {
				return err
			}
			dir, err := lab.Programs(cmd.Context(), lab.Options{
				Cache: lab.Cache(f.cache), Repository: repository, Kubernetes: kubernetes, Log: cmd.ErrOrStderr(),
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), dir)
			return nil
		},
	}
	addKubernetesFlag(cmd, &kubernetes)
	return cmd
}

func newNodeInit() *cobra.Command {
	return &cobra.Command{
		Use:    "node-init FOLDER",
		Hidden: true, // PID 1 of a node
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return node.Run(context.Background(), node.Folder(args[0]))
		},
	}
}

func newForwardAPI() *cobra.Command {
	return &cobra.Command{
		Use:    "forward-api",
		Hidden: true, // the process behind the kubeconfig
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return lab.ForwardAPI() },
	}
}
