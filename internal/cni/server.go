package cni

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// Handler serves one call. ctx ends when the caller gives up, and when the
// server stops.
type Handler func(ctx context.Context, call *Call) (*types100.Result, error)

// stopTimeout is how long calls may take to undo their work when the server
// stops.
const stopTimeout = 10 * time.Second

// Serve serves calls on the Unix socket until ctx ends. Calls under way then
// end with it.
func Serve(ctx context.Context, socket string, handle Handler) error {
	listener, err := listen(socket)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", socket, err)
	}
	server := &http.Server{
		Handler:           handle,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: stopTimeout,
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("serve on %q: %w", socket, err)
	}
	return <-stopped
}

// listen takes the socket over from a predecessor: what a caller finds there
// answers, and only root can open it.
func listen(socket string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, err
	}
	fresh := socket + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := publish(fresh, socket); err != nil {
		_ = listener.Close()
		return nil, err
	}
	return listener, nil
}

func publish(fresh, socket string) error {
	if err := os.Chmod(fresh, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, socket)
}

// ServeHTTP answers one call.
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a answer
	result, err := h.serve(r)
	if err != nil {
		a.Error = toError(err)
	}
	a.Result = result
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // the caller may be gone
}

func (h Handler) serve(r *http.Request) (*types100.Result, error) {
	call, err := Decode(r.Body)
	if err != nil {
		return nil, err
	}
	return h(r.Context(), call)
}
