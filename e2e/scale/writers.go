package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/zone"
)

// The nodes' zone writers run in a process of their own, so that their CPU time and memory are not the load program's.

// writtenNode is a node and its databases.
type writtenNode struct{ Name, Northbound, Southbound string }

// writersInput is the first line that the process reads. Every further line asks for a writersState.
type writersInput struct {
	Kubeconfig string
	Nodes      []writtenNode
}

// writersState is what it answers, a line each.
type writersState struct {
	Heap       uint64 // bytes in use, after a collection
	Goroutines int
}

func newWriters() *cobra.Command {
	return &cobra.Command{
		Use: "writers", Hidden: true, Args: cobra.NoArgs,
		Short: "Run the zone writers of nodes, for fabrics, which tells it by its input",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runWriters(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// maxInput is how long a line may be.
const maxInput = 1 << 20

func runWriters(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxInput)
	if !lines.Scan() {
		return fmt.Errorf("read what to write: %w", lines.Err())
	}
	var input writersInput
	if err := json.Unmarshal(lines.Bytes(), &input); err != nil {
		return fmt.Errorf("read what to write: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", input.Kubeconfig)
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	for _, node := range input.Nodes {
		if err := startWriter(ctx, all, config, node); err != nil {
			return err
		}
	}
	all.Go(func() error {
		defer cancel() // the end of the input ends it
		for lines.Scan() {
			if err := json.NewEncoder(out).Encode(stateOfWriters()); err != nil {
				return err
			}
		}
		return lines.Err()
	})
	return all.Wait()
}

func startWriter(ctx context.Context, all *errgroup.Group, config *rest.Config, node writtenNode) error {
	own := rest.CopyConfig(config)
	own.Dial = (&net.Dialer{}).DialContext // a connection of its own, as each node has
	api, err := kube.New(own)
	if err != nil {
		return err
	}
	cache, err := api.Node(node.Name)
	if err != nil {
		return err
	}
	w, err := zone.New(zone.Config{
		Node: node.Name, Fabric: v1alpha1.FabricZones, Northbound: []string{node.Northbound}, Southbound: []string{node.Southbound},
		MaxMTU: 1442, API: api, Cache: cache, Log: logr.Discard(),
		KeysTaken: func(err error) {
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s: networks have other tunnel keys: %v\n", node.Name, err)
			}
		},
		Tell: func(_ context.Context, a *v1alpha1.L2Attachment, about v1alpha1.Event) {
			fmt.Fprintf(os.Stderr, "%s: %s: %s\n", node.Name, a.Key(), about.Message)
		},
	})
	if err != nil {
		return err
	}
	all.Go(func() error {
		cache.Run(ctx, func() {})
		return nil
	})
	all.Go(func() error { return w.Run(ctx) })
	return nil
}

func stateOfWriters() writersState {
	for range 2 { // the second takes what finalizers let go
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return writersState{Heap: m.HeapAlloc, Goroutines: runtime.NumGoroutine()}
}
