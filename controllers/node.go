package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/ovn"
)

// Southbound is the database that chassis register in.
type Southbound interface {
	// Chassis are the names of the chassis that our ovn-node pods run: a
	// chassis of anybody else is never touched.
	Chassis() ([]string, error)
	DeleteChassis(ctx context.Context, name string) error
}

// NodeReconciler removes the chassis of nodes that are gone, which every other
// node would keep a tunnel to otherwise. A chassis is named as its node. It is
// keyed by that name.
type NodeReconciler struct {
	client.Client
	Live       client.Reader
	Southbound Southbound

	mu sync.Mutex
	// removed chassis whose node has not come back. Such a chassis is not
	// removed twice: its ovn-controller still runs and would register again,
	// without end.
	removed map[string]bool
}

// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch

// Reconcile removes the chassis of one node, if the node is gone.
func (r *NodeReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	gone, err := r.isGone(ctx, req.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !gone {
		r.note(req.Name, false)
		return ctrl.Result{}, nil
	}
	own, err := r.Southbound.Chassis()
	if errors.Is(err, ovn.ErrNotConnected) {
		return ctrl.Result{}, nil // the connection's return brings every chassis here
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("list chassis: %w", err)
	}
	if !slices.Contains(own, req.Name) {
		return ctrl.Result{}, nil
	}
	if r.wasRemoved(req.Name) {
		log.FromContext(ctx).Info("Chassis of a removed node has registered again: its ovn-controller still runs", "chassis", req.Name)
		return ctrl.Result{}, nil
	}
	if err := r.Southbound.DeleteChassis(ctx, req.Name); err != nil {
		return ctrl.Result{}, err
	}
	r.note(req.Name, true)
	log.FromContext(ctx).Info("Chassis of a removed node deleted", "chassis", req.Name)
	return ctrl.Result{}, nil
}

// isGone asks the API itself before it says yes: a node that joins may have its
// chassis before the cache has the node.
func (r *NodeReconciler) isGone(ctx context.Context, name string) (bool, error) {
	for _, look := range []struct {
		reader client.Reader
		node   client.Object
	}{{r, &corev1.Node{}}, {r.Live, nodeMetadata()}} {
		err := look.reader.Get(ctx, client.ObjectKey{Name: name}, look.node)
		if err == nil {
			return false, nil
		}
		if !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("get node %q: %w", name, err)
		}
	}
	return true, nil
}

func (r *NodeReconciler) note(chassis string, removed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.removed == nil {
		r.removed = map[string]bool{}
	}
	r.removed[chassis] = removed
	if !removed {
		delete(r.removed, chassis)
	}
}

func (r *NodeReconciler) wasRemoved(chassis string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.removed[chassis]
}

func nodeMetadata() *metav1.PartialObjectMetadata {
	node := &metav1.PartialObjectMetadata{}
	node.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Node"))
	return node
}
