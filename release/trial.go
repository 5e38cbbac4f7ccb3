package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/e2e/lab/patience"
)

// onNodes is where the trial's registry is: on each node, as runtimes ask no registry on loopback for a certificate.
const onNodes = "localhost:5000"

func newTrial() *cobra.Command {
	v := &version{}
	var cluster string
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "trial",
		Short: "Install a version from a registry into a running local cluster, ping, and print how long it took",
		Long: "Do what a new user does: kubectl apply -f install.yaml on a running cluster whose nodes have no image of l2sm,\n" +
			"kubectl apply -f ping-pong.yaml, ping. The registry is served by this command, on every node, and install.yaml\n" +
			"is of manifests/overlays/lab. It fails if it took longer than the limit.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v.registry = onNodes + "/l2sm"
			if err := v.complete(); err != nil {
				return err
			}
			v.manifests = map[string]string{"install.yaml": filepath.Join("manifests", "overlays", "lab")}
			v.architectures = []string{runtime.GOARCH}
			l, err := lab.Open(v.images.Cache, cluster)
			if err != nil {
				return err
			}
			return v.trial(cmd.Context(), cmd.OutOrStdout(), l, patience.Of(limit))
		},
	}
	v.addFlags(cmd)
	cmd.Flags().StringVar(&cluster, "lab", lab.DefaultName, "name of the local cluster")
	cmd.Flags().DurationVar(&limit, "limit", 2*time.Minute, "what it may take")
	return cmd
}

func (v *version) trial(ctx context.Context, out io.Writer, l *lab.Lab, limit time.Duration) error {
	folder, err := os.MkdirTemp("", "l2sm-trial-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	handler := newRegistry()
	listeners, err := l.ListenOnNodes(strings.Replace(onNodes, "localhost", "127.0.0.1", 1))
	if err != nil {
		return err
	}
	for _, listener := range listeners {
		defer serve(listener, handler)()
	}
	server := httptest.NewServer(handler) // the same registry, for this machine
	defer server.Close()
	if err := v.dist(ctx, io.Discard, folder, strings.TrimPrefix(server.URL, "http://")+"/l2sm"); err != nil {
		return err
	}
	if err := l.Forget(ctx, "localhost/l2sm-controller:dev", "localhost/l2sm-agent:dev", "localhost/l2sm-ovn:dev"); err != nil {
		return err
	}
	began := time.Now()
	for _, s := range steps(folder) {
		if _, err := l.Kubectl(ctx, s.kubectl...); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(out, "%6.1fs  %s\n", time.Since(began).Seconds(), s.name)
	}
	if took := time.Since(began); took > limit {
		return fmt.Errorf("from a registry to pings took %s, and may take %s: is the machine busy?", took.Round(time.Second), limit)
	}
	return nil
}

// step is a command of a user.
type step struct {
	name    string
	kubectl []string
}

func steps(folder string) []step {
	all := []step{{"applied install.yaml", []string{"apply", "-f", filepath.Join(folder, "install.yaml")}}}
	for _, workload := range []string{"deployment/ovn-central", "daemonset/ovn-node", "deployment/l2sm-controller", "daemonset/l2sm-agent"} {
		all = append(all, step{workload + " is ready", []string{"-n", "l2sm-system", "rollout", "status", workload, patience.Timeout(3 * time.Minute)}})
	}
	return append(all,
		step{"applied ping-pong.yaml", []string{"apply", "-f", filepath.Join(folder, "ping-pong.yaml")}},
		step{"pods are ready", []string{"wait", "--for=condition=Ready", "pod/ping", "pod/pong", patience.Timeout(3 * time.Minute)}},
		step{"ping over IPv4", []string{"exec", "ping", "--", "ping", "-c", "3", "-i", "0.2", "10.101.2.10"}},
		step{"ping over IPv6", []string{"exec", "ping", "--", "ping", "-c", "3", "-i", "0.2", "fd10:101::10"}},
	)
}

// serve answers on a listener until the returned function is called.
func serve(listener net.Listener, handler http.Handler) func() {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // it ends by Close
	}()
	return func() {
		_ = server.Close()
		<-done
	}
}
