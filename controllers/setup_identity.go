package controllers

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"l2sm.io/l2sm/internal/identity"
)

// identities adds what gives nodes their certificates. Where the databases are
// reached without TLS there is nothing to do.
func (s *setup) identities() error {
	if s.config.ControlAuthority == "" {
		return nil
	}
	key := systemKey(identity.AuthorityName)
	toAuthority := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: key}}
	})
	authority := &NodeAuthorityReconciler{
		Client: s.mgr.GetClient(), Live: s.mgr.GetAPIReader(),
		Northbound: s.config.Northbound, Control: s.config.ControlAuthority, Shared: s.config.SharedAuthority,
	}
	s.authorities.wake(key) // there may be no Secret that would bring it there
	err := ctrl.NewControllerManagedBy(s.mgr).Named("nodeauthority").
		Watches(&corev1.Secret{}, toAuthority).
		Watches(&corev1.ConfigMap{}, toAuthority).
		Watches(&corev1.Pod{}, toAuthority, builder.WithPredicates(nodePods())).
		WatchesRawSource(s.authorities).
		WithOptions(s.options("nodeauthority", 1)).
		Complete(s.memory.watch(authority))
	if err != nil {
		return fmt.Errorf("set up the controller of nodes' authority: %w", err)
	}
	certificates := &NodeCertificateReconciler{Client: s.mgr.GetClient(), Live: s.mgr.GetAPIReader(), Lifetime: s.config.NodeCertificateLifetime}
	toRequests := handler.EnqueueRequestsFromMapFunc(certificates.requests)
	err = ctrl.NewControllerManagedBy(s.mgr).Named("nodecertificate").
		For(&certificatesv1.CertificateSigningRequest{}).
		Watches(&corev1.Secret{}, toRequests).
		Watches(&corev1.ConfigMap{}, toRequests).
		Watches(&corev1.Node{}, toRequests, builder.WithPredicates(predicate.Funcs{
			UpdateFunc: func(event.UpdateEvent) bool { return false },
			DeleteFunc: func(event.DeleteEvent) bool { return false },
		})).
		WithOptions(s.options("nodecertificate", 4)). // each waits for three API requests
		Complete(s.memory.watch(certificates))
	if err != nil {
		return fmt.Errorf("set up the controller of nodes' certificates: %w", err)
	}
	return nil
}
