package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/internal/pki"
)

// NodeCertificateReconciler approves, signs or denies the requests of agents for
// their nodes' certificates. It is keyed by the request's name.
type NodeCertificateReconciler struct {
	client.Client
	// Live reads past the cache.
	Live client.Reader
	// Lifetime is the longest that is signed.
	Lifetime time.Duration
}

// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests,verbs=get;list;watch
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests/approval;certificatesigningrequests/status,verbs=update
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=signers,resourceNames=l2sm.io/node,verbs=approve;sign
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch

// Reconcile answers one request.
func (r *NodeCertificateReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	request := &certificatesv1.CertificateSigningRequest{}
	if err := r.Get(ctx, req.NamespacedName, request); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !unanswered(request) {
		return ctrl.Result{}, nil
	}
	// An approval is judged, too: whoever may give one is no more trusted than this.
	claim, refusal := identity.Judge(request)
	if refusal != nil {
		return ctrl.Result{}, r.refuse(ctx, request, refusal)
	}
	node := nodeMetadata()
	// The API itself is asked: a label that revokes counts once it is written.
	err := r.Live.Get(ctx, client.ObjectKey{Name: claim.Node}, node)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{}, nil // a node that joins brings its request here again
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("get node %q: %w", claim.Node, err)
	}
	if refusal := identity.Revoked(node.Name, node.Labels); refusal != nil {
		return ctrl.Result{}, r.refuse(ctx, request, refusal)
	}
	authority, err := r.authority(ctx)
	if err != nil || authority == nil {
		return ctrl.Result{}, err // what is missing brings all requests here when it comes
	}
	return ctrl.Result{}, r.sign(ctx, request, claim, authority)
}

// unanswered says that a request is for our signer and has neither a certificate
// nor been refused one.
func unanswered(r *certificatesv1.CertificateSigningRequest) bool {
	return r.Spec.SignerName == identity.Signer && len(r.Status.Certificate) == 0 &&
		!has(r, certificatesv1.CertificateDenied) && !has(r, certificatesv1.CertificateFailed)
}

func has(r *certificatesv1.CertificateSigningRequest, condition certificatesv1.RequestConditionType) bool {
	for _, c := range r.Status.Conditions {
		if c.Type == condition {
			return true
		}
	}
	return false
}

// authority is the one that agents know of. While another takes its place there
// is none: an agent would take what the other signs for outdated.
func (r *NodeCertificateReconciler) authority(ctx context.Context) (*pki.Authority, error) {
	secret, trust := &corev1.Secret{}, &corev1.ConfigMap{}
	err := errors.Join(
		client.IgnoreNotFound(r.Get(ctx, systemKey(identity.AuthorityName), secret)),
		client.IgnoreNotFound(r.Get(ctx, systemKey(identity.TrustName), trust)),
	)
	if err != nil {
		return nil, fmt.Errorf("get the nodes' authority: %w", err)
	}
	current := identity.ParseAuthorities(secret.Data).Current
	if current == nil || trust.Data[identity.NodeKey] != string(current.Pair().Certificate) {
		return nil, nil
	}
	return current, nil
}

func (r *NodeCertificateReconciler) sign(ctx context.Context, request *certificatesv1.CertificateSigningRequest, claim identity.Claim, authority *pki.Authority) error {
	certificate, err := authority.Node(claim.Node, claim.Key, min(claim.Lifetime, r.Lifetime), time.Now())
	if err != nil {
		return err
	}
	if !has(request, certificatesv1.CertificateApproved) {
		err := r.say(ctx, request, "approval", certificatesv1.CertificateApproved, identity.ReasonIssued, "the requester's token names this node")
		if err != nil {
			return err
		}
	}
	request.Status.Certificate = certificate
	if err := r.Status().Update(ctx, request); err != nil {
		return passed(err, "sign", request)
	}
	log.FromContext(ctx).Info("Certificate of a node signed", "node", claim.Node)
	return nil
}

// refuse denies a request; one that somebody has approved can't be denied any
// more, and is failed.
func (r *NodeCertificateReconciler) refuse(ctx context.Context, request *certificatesv1.CertificateSigningRequest, why *identity.Refusal) error {
	subresource, condition := "approval", certificatesv1.CertificateDenied
	if has(request, certificatesv1.CertificateApproved) {
		subresource, condition = "status", certificatesv1.CertificateFailed
	}
	if err := r.say(ctx, request, subresource, condition, why.Reason, why.Message); err != nil {
		return err
	}
	log.FromContext(ctx).Info("Request for a node's certificate refused", "requester", request.Spec.Username, "reason", why.Error())
	return nil
}

func (r *NodeCertificateReconciler) say(ctx context.Context, request *certificatesv1.CertificateSigningRequest, subresource string, condition certificatesv1.RequestConditionType, reason, message string) error {
	request.Status.Conditions = append(request.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: condition, Status: corev1.ConditionTrue, Reason: reason, Message: message,
	})
	return passed(r.SubResource(subresource).Update(ctx, request), "answer", request)
}

// passed is the error of a write, unless the request is gone.
func passed(err error, verb string, request *certificatesv1.CertificateSigningRequest) error {
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s request %q: %w", verb, request.Name, err)
	}
	return nil
}

// requests are all that are unanswered, for events of what signs them, and of
// nodes that come.
func (r *NodeCertificateReconciler) requests(ctx context.Context, _ client.Object) []ctrl.Request {
	list := &certificatesv1.CertificateSigningRequestList{}
	if err := r.List(ctx, list); err != nil {
		log.FromContext(ctx).Error(err, "List requests for nodes' certificates")
		return nil
	}
	var all []ctrl.Request
	for i := range list.Items {
		if unanswered(&list.Items[i]) {
			all = append(all, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return all
}
