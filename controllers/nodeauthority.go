package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/ovn"
)

// NodeAuthorityReconciler keeps the authority that signs nodes' certificates, in
// a Secret that no other program reads, and says whom to trust:
//
//	Secret ovn-node-ca ──> NB_Global ──> the southbound database's server
//	                 └───> ConfigMap ovn-trust ──> agents, which ask for new certificates
//
// in this order, so that the server takes what agents are told to ask for. It is
// keyed by the Secret.
type NodeAuthorityReconciler struct {
	client.Client
	// Live reads past the cache: an authority is made where there is none.
	Live       client.Reader
	Northbound *ovn.Client
	// Control is the authority of the databases' certificates, in PEM.
	Control string
	// Shared returns the authority of v0.1.0, in PEM, or nothing.
	Shared func() string
}

// Reconcile keeps the authority and what is said of it.
func (r *NodeAuthorityReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	secret := &corev1.Secret{}
	key := systemKey(identity.AuthorityName)
	if err := r.Live.Get(ctx, key, secret); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("get secret %q: %w", key, err)
	}
	authorities, changed, err := identity.ParseAuthorities(secret.Data).Next(asksRotation(secret), time.Now())
	if err != nil {
		return ctrl.Result{}, err
	}
	if changed {
		if err := r.keep(ctx, secret, authorities); err != nil {
			return ctrl.Result{}, err
		}
		log.FromContext(ctx).Info("Authority of nodes' certificates written", "until", authorities.Current.Until(), "formerUntil", authorities.FormerUntil)
	}
	shared, err := r.shared(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.Northbound.Trust(ctx, authorities.Trusted()+shared); err != nil {
		if errors.Is(err, ovn.ErrNotConnected) {
			return ctrl.Result{}, nil // the connection brings it here again
		}
		return ctrl.Result{}, err
	}
	if err := r.tell(ctx, authorities, r.Control+shared); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: authorities.Until(time.Now()) + time.Second}, nil
}

func asksRotation(secret *corev1.Secret) *string {
	if overlap, asked := secret.Annotations[identity.RotateAnnotation]; asked {
		return &overlap
	}
	return nil
}

// keep writes the Secret that was read. Its type stays: a Secret of another type
// could carry a token.
func (r *NodeAuthorityReconciler) keep(ctx context.Context, secret *corev1.Secret, a identity.Authorities) error {
	secret.Data = a.Data()
	delete(secret.Annotations, identity.RotateAnnotation)
	if secret.ResourceVersion == "" {
		key := systemKey(identity.AuthorityName)
		secret.Name, secret.Namespace, secret.Type = key.Name, key.Namespace, corev1.SecretTypeTLS
		if err := r.Create(ctx, secret); err != nil {
			return fmt.Errorf("create secret %q: %w", key, err)
		}
		return nil
	}
	if err := r.Update(ctx, secret); err != nil {
		return fmt.Errorf("update secret %q: %w", client.ObjectKeyFromObject(secret), err)
	}
	return nil
}

// tell writes what agents follow: whose certificate the southbound database shows.
func (r *NodeAuthorityReconciler) tell(ctx context.Context, a identity.Authorities, control string) error {
	trust := &corev1.ConfigMap{}
	key := systemKey(identity.TrustName)
	if err := r.Live.Get(ctx, key, trust); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get configmap %q: %w", key, err)
	}
	data := identity.Trust{Node: string(a.Current.Pair().Certificate), Control: control}.Data()
	if maps.Equal(trust.Data, data) {
		return nil
	}
	trust.Data = data
	if trust.ResourceVersion == "" {
		trust.Name, trust.Namespace = key.Name, key.Namespace
		if err := r.Create(ctx, trust); err != nil {
			return fmt.Errorf("create configmap %q: %w", key, err)
		}
		return nil
	}
	if err := r.Update(ctx, trust); err != nil {
		return fmt.Errorf("update configmap %q: %w", key, err)
	}
	return nil
}

// systemKey is that of an object in l2sm's namespace.
func systemKey(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: name}
}
