package identity

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/pki"
)

// Bounds of the pause after a failure.
const (
	minBackoff = time.Second
	maxBackoff = 5 * time.Minute
)

// Keeper keeps a node's certificate. It needs the API server and the controller,
// and neither Open vSwitch nor OVN: those need the certificate.
type Keeper struct {
	API  *kube.Client
	Node string
	// Dir is where ovn-controller finds it, such as [Dir].
	Dir string
	Log logr.Logger
	// Told is called with why there is no new certificate, and with nil when there
	// is.
	Told func(error)
}

// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests,verbs=create;get;list;watch

// Run keeps the certificate until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	trusts := make(chan Trust, 1)
	ended := make(chan error, 1)
	go func() {
		key := types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: TrustName}
		ended <- k.API.FollowConfigMap(ctx, key, func(data map[string]string) { k.hear(trusts, data) })
	}()
	k.Log.Info("Following which authorities to trust", "ConfigMap", TrustName)
	var trust Trust
	select {
	case trust = <-trusts:
	case err := <-ended:
		return err
	}
	for ctx.Err() == nil {
		trust = k.serve(ctx, trust, trusts)
	}
	return <-ended
}

// hear puts the newest trust into the channel, in the place of one that was not
// taken.
func (k *Keeper) hear(trusts chan Trust, data map[string]string) {
	t, err := ParseTrust(data)
	if err != nil {
		k.Log.Info("Go on with the authorities that are known", "reason", err.Error())
		return
	}
	select {
	case <-trusts:
	default:
	}
	trusts <- t
}

// serve works by one trust until there is another. A request that is under way
// then is taken up again.
func (k *Keeper) serve(ctx context.Context, trust Trust, trusts <-chan Trust) Trust {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for failures := 0; ctx.Err() == nil; failures++ {
			due, err := k.keep(ctx, trust)
			if err != nil && ctx.Err() == nil {
				k.Log.Info("No new certificate for OVN yet", "reason", err.Error())
			}
			if ctx.Err() == nil {
				k.Told(err)
			}
			pause := time.Until(due)
			if err == nil && pause > 0 {
				failures = 0
			} else {
				pause = min(minBackoff<<min(failures, 16), maxBackoff)
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}()
	select {
	case trust = <-trusts:
	case <-ctx.Done():
	}
	cancel()
	<-done
	return trust
}

// keep brings the files in line, and returns when they are due again.
func (k *Keeper) keep(ctx context.Context, trust Trust) (time.Time, error) {
	dir := folder(k.Dir)
	if err := dir.make(); err != nil {
		return time.Time{}, err
	}
	held, err := dir.held()
	if err != nil {
		return time.Time{}, err
	}
	if trust.outdated(held) {
		held.Control = []byte(trust.Control)
		if err := dir.store(held); err != nil {
			return time.Time{}, err
		}
	}
	if due := Due(k.Node, held, trust); time.Until(due) > 0 {
		return due, nil
	}
	held.Control = []byte(trust.Control)
	held.Key, held.Certificate, err = k.ask(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if err := errors.Join(dir.store(held), dir.dropPending()); err != nil {
		return time.Time{}, err
	}
	due := Due(k.Node, held, trust)
	k.Log.Info("Certificate for OVN written", "dir", k.Dir, "due", due)
	return due, nil
}

// ask returns the answer to one request and its key. A request that was refused
// stands until the API server's garbage collection, an hour later, deletes it, or
// somebody does: there is never more than one a node.
func (k *Keeper) ask(ctx context.Context) (key, certificate []byte, err error) {
	signer, key, err := k.pending()
	if err != nil {
		return nil, nil, err
	}
	request, err := newRequest(k.Node, signer)
	if err != nil {
		return nil, nil, err
	}
	if err := k.API.CreateSigningRequest(ctx, request); err != nil {
		return nil, nil, err
	}
	told := ""
	gone, err := k.API.AwaitSigningRequest(ctx, request.Name, func(r *certificatesv1.CertificateSigningRequest) bool {
		var why string
		if certificate, why = outcome(r, k.Node, key); why != "" && why != told {
			k.Log.Info("The certificate is refused; asking again when the request is deleted", "CertificateSigningRequest", r.Name, "reason", why)
			k.Told(errors.New(why))
			told = why
		}
		return certificate != nil
	})
	if err != nil {
		return nil, nil, err
	}
	if gone {
		return nil, nil, errors.Join(fmt.Errorf("request %q was deleted", request.Name), folder(k.Dir).dropPending())
	}
	return key, certificate, nil
}

// pending returns the key of the request that is under way, or of a new one.
func (k *Keeper) pending() (crypto.Signer, []byte, error) {
	dir := folder(k.Dir)
	text, err := dir.read(pendingKey)
	if err != nil {
		return nil, nil, err
	}
	if signer, err := pki.ParseKey(text); err == nil {
		return signer, text, nil
	}
	signer, text, err := pki.NewKey()
	if err != nil {
		return nil, nil, err
	}
	return signer, text, dir.keepPending(text)
}
