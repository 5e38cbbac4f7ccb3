package cni

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// ErrUnreachable says that no agent answers.
var ErrUnreachable = errors.New("the l2sm agent of this node does not answer")

// hint says where a person looks next.
const hint = "see `kubectl -n l2sm-system get pods -l app.kubernetes.io/name=l2sm-agent -o wide` and the log of this node's pod"

// Do sends req to the agent that listens on socket. The error is the agent's
// own, a *types.Error, or matches ErrUnreachable. The result is nil for all
// commands but ADD. When ctx ends the agent gives up and undoes what it did.
func Do(ctx context.Context, socket string, req Request) (*types100.Result, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://l2sm/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(post)
	if err != nil {
		return nil, fmt.Errorf("%w on %s: %w; %s", ErrUnreachable, socket, err, hint)
	}
	defer func() { _ = response.Body.Close() }()

	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		return nil, fmt.Errorf("%w on %s with sense (%s): %w; %s", ErrUnreachable, socket, response.Status, err, hint)
	}
	if a.Error != nil {
		return nil, a.Error
	}
	return a.Result, nil
}
