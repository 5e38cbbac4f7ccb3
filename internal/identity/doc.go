// Package identity gives each node a certificate of its own for OVN's southbound
// database. The agent makes the key, which never leaves the node; the controller
// signs for the node that the agent's token names, and for no other.
//
//	agent                          API server                     controller
//	  key ──> CertificateSigningRequest, signer l2sm.io/node ──> Judge ──> denied, with a reason
//	                                                               └────> approved and signed
//	  /run/l2sm/ovn/{tls.key,tls.crt,ca.crt} <── its status.certificate
//	  Due: again at half to three quarters of its life, or when ovn-trust names another authority
//
// Judge, Due and Authorities.Next decide and do nothing else; Keeper acts for the
// agent, package controllers for the controller.
package identity

import (
	"time"

	"l2sm.io/l2sm/apis/v1alpha1"
)

const (
	// Signer is the signerName of the requests.
	Signer = "l2sm.io/node"
	// Account is the only user who may ask: the agents' service account.
	Account = "system:serviceaccount:" + v1alpha1.SystemNamespace + ":l2sm-agent"
	// nodeNameExtra is where the API server says on which node the pod runs that a
	// token is bound to (KEP-4193, Kubernetes 1.32).
	nodeNameExtra = "authentication.kubernetes.io/node-name"
	// RevokedLabel on a Node has the controller sign nothing for it. The prefix is
	// one that no kubelet may write: admission plugin NodeRestriction.
	RevokedLabel = "node-restriction.kubernetes.io/l2sm-revoked"
	// MaxLifetime is that of a node's certificate from its beginning to its end.
	MaxLifetime = 24 * time.Hour
)

// What agents are told of the authorities: the ConfigMap of this name in l2sm's
// namespace, written by the controller.
const (
	TrustName = "ovn-trust"
	// NodeKey is the authority that signs nodes' certificates now.
	NodeKey = "node.crt"
	// ControlKey is the authority of the southbound database's certificate.
	ControlKey = "control.crt"
)
