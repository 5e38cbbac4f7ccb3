package cni

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
)

// serve runs a server until the test or stop ends it, and returns when it
// answers.
func serve(t *testing.T, handle Handler) (socket string, stop func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cni") // Unix sockets take 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "run", "cni.sock")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, socket, handle) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(stop)
	gomega.NewWithT(t).Eventually(func() error { _, err := os.Stat(socket); return err }, "5s", "5ms").Should(gomega.Succeed())
	return socket, stop
}

func TestDo(t *testing.T) {
	result := &types100.Result{CNIVersion: "1.1.0", Interfaces: []*types100.Interface{{Name: "net1", Mac: "0a:58:0a:65:02:0a", Mtu: 1400, Sandbox: "/run/netns/cni-1"}}}
	tryAgain := TryAgain(errors.New("network \"default/ping-network\" does not exist"))
	cases := map[string]struct {
		reason string
		handle Handler
		want   *types100.Result
		err    *types.Error
	}{
		"Result": {"an ADD's result arrives as it was sent",
			func(context.Context, *Call) (*types100.Result, error) { return result, nil }, result, nil},
		"Nothing": {"other commands have nothing to return",
			func(context.Context, *Call) (*types100.Result, error) { return nil, nil }, nil, nil},
		"CNIError": {"an error keeps its code on the way",
			func(context.Context, *Call) (*types100.Result, error) { return nil, tryAgain }, nil, tryAgain},
		"OtherError": {"an error without a code is internal",
			func(context.Context, *Call) (*types100.Result, error) { return nil, os.ErrPermission }, nil,
			types.NewError(types.ErrInternal, os.ErrPermission.Error(), "")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			socket, _ := serve(t, tc.handle)
			got, err := Do(t.Context(), socket, request(func(*Request) {}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			var e *types.Error
			errors.As(err, &e)
			if diff := cmp.Diff(tc.err, e); diff != "" {
				t.Errorf("%s: error %v (-want +got):\n%s", tc.reason, err, diff)
			}
		})
	}
}

func TestDoWithoutAgent(t *testing.T) {
	socket, stop := serve(t, func(context.Context, *Call) (*types100.Result, error) { return nil, nil })
	stop()
	_, err := Do(t.Context(), socket, request(func(*Request) {}))
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), socket) || !strings.Contains(err.Error(), "kubectl") {
		t.Errorf("Do without an agent = %v, want ErrUnreachable, the socket and what to look at", err)
	}
}

func TestDoWithAStranger(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	if _, err := Do(t.Context(), socket, request(func(*Request) {})); !errors.Is(err, ErrUnreachable) {
		t.Errorf("Do with something else on the socket = %v, want ErrUnreachable", err)
	}
}

func TestServeRefusesRubbish(t *testing.T) {
	socket, _ := serve(t, func(context.Context, *Call) (*types100.Result, error) {
		t.Error("a request that does not decode must not reach the handler")
		return nil, nil
	})
	_, err := Do(t.Context(), socket, request(func(r *Request) { r.Container = "" }))
	var e *types.Error
	if !errors.As(err, &e) || e.Code != types.ErrInvalidEnvironmentVariables {
		t.Errorf("Do = %v, want code %d", err, types.ErrInvalidEnvironmentVariables)
	}
}

// A runtime that gives up kills the plugin; an agent that stops stops serving.
// Either way the call must learn of it, to undo what it did.
func TestServeEndsCalls(t *testing.T) {
	for name, giveUp := range map[string]func(cancelClient, stop func()){
		"CallerGivesUp": func(cancelClient, _ func()) { cancelClient() },
		"ServerStops":   func(_, stop func()) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			entered, undone := make(chan struct{}), make(chan struct{})
			socket, stop := serve(t, func(ctx context.Context, _ *Call) (*types100.Result, error) {
				close(entered)
				<-ctx.Done()
				close(undone)
				return nil, ctx.Err()
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			answered := make(chan error, 1)
			go func() {
				_, err := Do(ctx, socket, request(func(*Request) {}))
				answered <- err
			}()
			<-entered
			giveUp(cancel, stop)
			<-undone
			if err := <-answered; err == nil {
				t.Error("a call that was cut short must not look like a success")
			}
		})
	}
}

func TestServeTakesOver(t *testing.T) {
	socket, stop := serve(t, func(context.Context, *Call) (*types100.Result, error) { return nil, errors.New("old") })
	stop()
	if _, err := os.Stat(socket); err != nil {
		t.Fatalf("the socket's file stays when an agent ends: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, socket, func(context.Context, *Call) (*types100.Result, error) { return nil, nil })
	}()
	defer func() { cancel(); <-done }()
	gomega.NewWithT(t).Eventually(func() error {
		_, err := Do(t.Context(), socket, request(func(*Request) {}))
		return err
	}, "5s", "5ms").Should(gomega.Succeed(), "the next agent takes the socket over")
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v (error %v), want 0600: only root may speak to the agent", info.Mode().Perm(), err)
	}
}
