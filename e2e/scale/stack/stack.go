// Package stack is a control plane without nodes, of real programs: etcd, kube-apiserver, the garbage collector, OVN's
// databases and ovn-northd, and l2sm-controller. What it started it ends, also after a failure.
package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Options of New.
type Options struct {
	Repository string // checkout of l2sm: its manifests are applied
	Kubernetes string // folder of etcd, kube-apiserver and kube-controller-manager
	Controller string // the program l2sm-controller; empty for a stack without Kubernetes
	OVN        OVNRoot
	// Fabric is the controller's, empty for Central; on others there is no OVN beside it: see StartZone.
	Fabric v1alpha1.Fabric
	// LeaderElect has the controller wait until it is elected, as an installed one does.
	LeaderElect bool
}

// Stack is the running programs.
type Stack struct {
	*Plane
	OVN        *OVN // nil where nodes have their own
	Controller *Controller

	dir string
}

// New starts everything but the controller. Its folder, logs included, is removed by Close.
func New(ctx context.Context, o Options) (*Stack, error) {
	o.Fabric = cmp.Or(o.Fabric, v1alpha1.FabricCentral)
	dir, err := os.MkdirTemp("", "l2sm-scale-")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	s := &Stack{dir: dir}
	if !o.Fabric.Zoned() {
		if s.OVN, err = StartOVN(ctx, dir, o.OVN); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if s.Plane, err = startPlane(ctx, dir, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Controller, err = s.newController(ctx, o)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends what runs, last started first, and removes the folder.
func (s *Stack) Close() error {
	var errs []error
	if s.Controller != nil {
		errs = append(errs, s.Controller.Stop())
	}
	if s.Plane != nil {
		errs = append(errs, s.end())
	}
	if s.OVN != nil {
		errs = append(errs, s.OVN.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// KeepLogs copies the logs of everything, for after a failure.
func (s *Stack) KeepLogs(to string) error {
	logs, err := filepath.Glob(filepath.Join(s.dir, "*.log"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, log := range logs {
		if err := copyFile(log, filepath.Join(to, filepath.Base(log))); err != nil {
			return fmt.Errorf("keep log %q: %w", log, err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Until waits until the condition holds, and returns an error that says for what it waited where that takes longer than
// the patience, or where the context ends before.
func Until(ctx context.Context, patience, every time.Duration, what string, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait at most %s until %s: %w", patience, what, ctx.Err())
		case <-time.After(every):
		}
	}
	return nil
}

// StartZone starts OVN's databases and ovn-northd of one node, in a folder of its own. They are the caller's to stop.
func (s *Stack) StartZone(ctx context.Context, root OVNRoot, node string) (*OVN, error) {
	dir := filepath.Join(s.dir, node)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	return StartOVN(ctx, dir, root)
}
