package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/ovn"
)

// Registry is the database that starts empty, and lets nodes in when they are
// registered there.
type Registry interface {
	Register(ctx context.Context, nodes []ovn.Registration) (ovn.Registered, error)
}

// RegistrationReconciler registers the nodes in a southbound database that starts
// empty, as their L2Nodes say: the first that connects keeps its tunnels to all
// others by that. It has one key.
type RegistrationReconciler struct {
	client.Client
	Southbound Registry
}

// theRegistration is the one key.
var theRegistration = types.NamespacedName{Name: "southbound"}

// Reconcile does nothing in a database that nodes are registered in.
func (r *RegistrationReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	known, err := r.known(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	done, err := r.Southbound.Register(ctx, known)
	if errors.Is(err, ovn.ErrNotConnected) {
		return ctrl.Result{}, nil // the connection's return comes here
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("let nodes into the southbound database: %w", err)
	}
	if done.Chassis > 0 {
		log.FromContext(ctx).Info("Nodes registered in a new southbound database", "nodes", done.Chassis, "ports", done.Ports)
	}
	if len(done.Disputed) > 0 {
		log.FromContext(ctx).Info("Nodes left out of a new southbound database, since they claim one tunnel address. Others have no tunnel to them until they connect",
			"nodes", done.Disputed)
	}
	return ctrl.Result{}, nil
}

// known are the nodes whose tunnels' address is known. Those that are gone, or
// shut out, are none of them.
func (r *RegistrationReconciler) known(ctx context.Context) ([]ovn.Registration, error) {
	own, nodes := &v1alpha1.L2NodeList{}, &corev1.NodeList{}
	if err := r.List(ctx, own, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list L2Nodes: %w", err)
	}
	if err := r.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	in := map[string]bool{}
	for i := range nodes.Items {
		in[nodes.Items[i].Name] = identity.Revoked(nodes.Items[i].Name, nodes.Items[i].Labels) == nil
	}
	var known []ovn.Registration
	for i := range own.Items {
		if address, is := tunnelAddress(&own.Items[i]); is && in[own.Items[i].Name] {
			known = append(known, ovn.Registration{Chassis: own.Items[i].Name, Address: address})
		}
	}
	return known, nil
}

// tunnelAddress is the one that an ovn-controller of ours is told. Only the first
// counts, so that a node that lies can dispute no more than one other's.
func tunnelAddress(n *v1alpha1.L2Node) (netip.Addr, bool) {
	if len(n.Status.TunnelAddresses) == 0 {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(n.Status.TunnelAddresses[0])
	if err != nil || address.Zone() != "" || address.Is4In6() || !address.IsGlobalUnicast() {
		return netip.Addr{}, false
	}
	return address, true
}

// follow has the database looked at.
func (r *RegistrationReconciler) follow(ctx context.Context, filled <-chan struct{}, q queue) {
	for {
		select {
		case <-filled:
			q.Add(request(theRegistration))
		case <-ctx.Done():
			return
		}
	}
}

func (s *setup) registration() error {
	r := &RegistrationReconciler{Client: s.mgr.GetClient(), Southbound: s.config.Southbound}
	err := ctrl.NewControllerManagedBy(s.mgr).Named("registration").
		WatchesRawSource(source.Func(func(ctx context.Context, q queue) error {
			go r.follow(ctx, s.config.Southbound.Filled(), q)
			return nil
		})).
		WithOptions(s.options("registration", 1)).
		Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the registration controller: %w", err)
	}
	return nil
}
