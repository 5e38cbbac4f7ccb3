// Package cni is what the CNI plugin and the node agent say to each other. The
// plugin, a program that the container runtime starts for every call, forwards
// its input as JSON over HTTP on a Unix socket that only root can open; the
// agent does the work and answers with what the plugin prints.
//
//	runtime -> Multus -> plugin (cmd/cni) -> /run/l2sm/cni.sock -> agent
//
// The calls are those of the CNI specification, version 1.1:
// https://github.com/containernetworking/cni/blob/spec-v1.1.0/SPEC.md
package cni

import (
	"encoding/json"
	"errors"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// Socket is where the agent listens, on the node.
const Socket = "/run/l2sm/cni.sock"

// Command is CNI_COMMAND.
type Command string

// The commands that are forwarded. The plugin answers VERSION by itself.
const (
	Add    Command = "ADD"
	Del    Command = "DEL"
	Check  Command = "CHECK"
	Status Command = "STATUS"
	GC     Command = "GC"
)

// Request is a call as the plugin received it: from its environment, and the
// network configuration from its standard input.
type Request struct {
	Command   Command         `json:"command"`
	Container string          `json:"containerID,omitempty"`
	Netns     string          `json:"netns,omitempty"`
	IfName    string          `json:"ifName,omitempty"`
	Args      string          `json:"args,omitempty"`
	Config    json.RawMessage `json:"config"`
}

// answer is what the agent returns: one of the two, or neither where there is
// nothing to say.
type answer struct {
	Result *types100.Result `json:"result,omitempty"`
	Error  *types.Error     `json:"error,omitempty"`
}

// CodeUnavailable is the plugin's answer to STATUS when it can't serve ADD
// (specification, "STATUS: Check plugin status").
const CodeUnavailable uint = 50

// TryAgain is an error that the runtime may get over by trying again later.
func TryAgain(err error) *types.Error {
	return types.NewError(types.ErrTryAgainLater, err.Error(), "")
}

// Unavailable is an error that keeps the plugin from serving ADD.
func Unavailable(err error) *types.Error {
	return types.NewError(CodeUnavailable, err.Error(), "")
}

// Invalid is an error in what the caller configured: trying again won't help.
func Invalid(err error) *types.Error {
	return types.NewError(types.ErrInvalidNetworkConfig, err.Error(), "")
}

// toError is err as the specification has it.
func toError(err error) *types.Error {
	var e *types.Error
	if errors.As(err, &e) {
		return e
	}
	return types.NewError(types.ErrInternal, err.Error(), "")
}
