package controllers

import (
	"context"

	"l2sm.io/l2sm/ovn"
)

// nodesOwn stands for the northbound databases of nodes, which their agents write,
// each what its own node needs: for the controller a network is programmed once it
// may be.
type nodesOwn struct{}

func (nodesOwn) Apply(context.Context, ovn.Network) (ovn.Result, error) { return ovn.Result{}, nil }

func (nodesOwn) ApplyPorts(context.Context, ovn.PortChanges) (ovn.Result, error) {
	return ovn.Result{}, nil
}

func (nodesOwn) Delete(context.Context, ovn.Key) error { return nil }

func (nodesOwn) Complete(context.Context, []ovn.Key) (bool, error) { return true, nil }

func (nodesOwn) Connected() bool { return true }

var _ Northbound = nodesOwn{}
