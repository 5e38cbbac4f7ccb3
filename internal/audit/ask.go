package audit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/internal/inventory"
)

// ServiceAccount is whom agents and controllers let read their inventories.
const ServiceAccount = "l2sm-audit"

// tokenSeconds is how long the token lives that audit asks for, at the least
// that the API server gives.
const tokenSeconds = 600

// maxInventory bounds an answer, in bytes: some 100,000 leases, or ports of a node's
// own databases.
const maxInventory = 64 << 20

// Web asks by HTTPS.
type Web struct {
	roots *x509.CertPool
	token string
}

// NewWeb returns an asker that trusts servers of these roots, and shows them a
// token of [ServiceAccount] in the namespace: it is good for nothing else, so a
// node that is taken over gains nothing by it.
func NewWeb(ctx context.Context, api client.Client, namespace string, roots *x509.CertPool) (*Web, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ServiceAccount}}
	seconds := int64(tokenSeconds)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	if err := api.SubResource("token").Create(ctx, account, request); err != nil {
		return nil, fmt.Errorf("get a token of service account %q: %w", client.ObjectKeyFromObject(account), err)
	}
	return &Web{roots: roots, token: request.Status.Token}, nil
}

// Node asks an agent.
func (w *Web) Node(ctx context.Context, address string) (inventory.Node, error) {
	return get[inventory.Node](ctx, w, inventory.AgentName, address)
}

// Controller asks a replica of the controller.
func (w *Web) Controller(ctx context.Context, address string) (inventory.Controller, error) {
	return get[inventory.Controller](ctx, w, inventory.ControllerName, address)
}

// get asks a server whose certificate bears the name.
func get[T any](ctx context.Context, w *Web, name, address string) (T, error) {
	var answer T
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: w.roots, ServerName: name},
		DisableKeepAlives: true,
	}
	url := "https://" + address + inventory.Path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer, err
	}
	request.Header.Set("Authorization", "Bearer "+w.token)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return answer, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxInventory))
	if err != nil {
		return answer, fmt.Errorf("get %q: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("get %q: %s: %s", url, response.Status, strings.TrimSpace(string(text)))
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("get %q: %w", url, err)
	}
	return answer, nil
}

func hostPort(host string, port int32) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
