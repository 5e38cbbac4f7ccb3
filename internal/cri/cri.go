// Package cri asks the node's container runtime, containerd or CRI-O, which
// pod sandboxes there are and where their network namespaces are, over the
// Container Runtime Interface, version v1. It only reads.
package cri

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Sockets are where runtimes listen unless configured otherwise.
var Sockets = []string{"/run/containerd/containerd.sock", "/run/crio/crio.sock"}

const (
	// callTimeout bounds one call. A list takes milliseconds; a runtime that
	// is busy with images takes longer.
	callTimeout = 10 * time.Second
	// maxDelay is the longest pause between two tries to connect.
	maxDelay = 5 * time.Second
	// maxMessage is the most bytes that an answer may have. A node has some
	// hundred sandboxes of about one kilobyte.
	maxMessage = 16 << 20
	// podUIDLabel is on every sandbox that the kubelet makes
	// (k8s.io/kubelet/pkg/types, KubernetesPodUIDLabel).
	podUIDLabel = "io.kubernetes.pod.uid"
)

// Sandbox is one life of a pod's sandbox.
type Sandbox struct {
	// ID is what CNI calls CNI_CONTAINERID.
	ID string
	// PodNamespace, PodName and PodUID are the pod's.
	PodNamespace, PodName, PodUID string
	// Ready: the sandbox was made, and is not stopped.
	Ready bool
	// Attempt counts the pod's sandboxes: the kubelet makes another when one
	// dies.
	Attempt uint32
	// Created is when it was made.
	Created time.Time
}

// Client is a connection to a runtime. Its methods may be called from any
// goroutine.
type Client struct {
	socket  string
	conn    *grpc.ClientConn
	runtime runtimeapi.RuntimeServiceClient
}

// Socket is the path of the first runtime's socket that is there, and of the
// first of all where none is.
func Socket() string {
	for _, path := range Sockets {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return Sockets[0]
}

// New returns a client of the runtime that listens on a Unix socket, given as
// its path or as unix://PATH. It connects with the first call, and again
// whenever the connection is lost.
func New(endpoint string) (*Client, error) {
	socket := strings.TrimPrefix(endpoint, "unix://")
	if !filepath.IsAbs(socket) {
		return nil, fmt.Errorf("container runtime %q is neither the path of a socket nor unix://PATH", endpoint)
	}
	backOff := backoff.DefaultConfig
	backOff.MaxDelay = maxDelay
	conn, err := grpc.NewClient("unix:"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a local socket: its mode is its protection
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backOff, MinConnectTimeout: callTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("make client of runtime %q: %w", socket, err)
	}
	return &Client{socket: socket, conn: conn, runtime: runtimeapi.NewRuntimeServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Sandboxes lists all sandboxes of the node.
func (c *Client) Sandboxes(ctx context.Context) ([]Sandbox, error) {
	return c.list(ctx, &runtimeapi.PodSandboxFilter{})
}

// SandboxesOf lists the sandboxes of one life of a pod.
func (c *Client) SandboxesOf(ctx context.Context, podUID string) ([]Sandbox, error) {
	return c.list(ctx, &runtimeapi.PodSandboxFilter{LabelSelector: map[string]string{podUIDLabel: podUID}})
}

func (c *Client) list(ctx context.Context, filter *runtimeapi.PodSandboxFilter) ([]Sandbox, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := c.runtime.ListPodSandbox(ctx, &runtimeapi.ListPodSandboxRequest{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("list pod sandboxes of runtime %q: %w", c.socket, err)
	}
	var all []Sandbox
	for _, item := range response.GetItems() {
		pod := item.GetMetadata()
		all = append(all, Sandbox{
			ID:           item.GetId(),
			PodNamespace: pod.GetNamespace(), PodName: pod.GetName(), PodUID: pod.GetUid(),
			Ready:   item.GetState() == runtimeapi.PodSandboxState_SANDBOX_READY,
			Attempt: pod.GetAttempt(),
			Created: time.Unix(0, item.GetCreatedAt()),
		})
	}
	return all, nil
}

// Netns is the path of a sandbox's network namespace. It is empty for a
// sandbox that has none of its own.
func (c *Client) Netns(ctx context.Context, sandbox string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := c.runtime.PodSandboxStatus(ctx, &runtimeapi.PodSandboxStatusRequest{PodSandboxId: sandbox, Verbose: true})
	if err != nil {
		return "", fmt.Errorf("get status of pod sandbox %q of runtime %q: %w", sandbox, c.socket, err)
	}
	path, err := netnsOf(response.GetInfo()["info"])
	if err != nil {
		return "", fmt.Errorf("read status of pod sandbox %q: %w", sandbox, err)
	}
	return path, nil
}
