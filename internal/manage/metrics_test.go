//go:build integration

package manage_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/manage"
	"l2sm.io/l2sm/internal/pki"
)

func startAPI(t *testing.T) (*rest.Config, client.Client) {
	t.Helper()
	env := &envtest.Environment{}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop kube-apiserver: %v", err)
		}
	})
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return config, api
}

// account makes a service account that may get the paths, and returns a token
// of it.
func account(t *testing.T, api client.Client, name string, paths ...string) string {
	t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	objects := []client.Object{sa}
	if len(paths) > 0 {
		objects = append(objects,
			&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{NonResourceURLs: paths, Verbs: []string{"get"}}}},
			&rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
			})
	}
	for _, o := range objects {
		if err := api.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	request := &authenticationv1.TokenRequest{}
	if err := api.SubResource("token").Create(t.Context(), sa, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

func write(t *testing.T, dir string, pair pki.Pair) {
	t.Helper()
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, pki.CertificateFile), pair.Certificate, 0o600),
		os.WriteFile(filepath.Join(dir, pki.KeyFile), pair.Key, 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// served is a server with what it takes to reach it.
type served struct {
	address   string
	authority *pki.Authority
}

func serve(t *testing.T, config *rest.Config, dir string, authority *pki.Authority) served {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := metricsserver.NewServer(manage.Metrics("127.0.0.1:0", dir), config, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	gather := func(context.Context) (inventory.Controller, error) { return inventory.Controller{Leads: true}, nil }
	if err := server.AddExtraHandler(inventory.Path, inventory.Handler(gather)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	address := func() string { return server.(interface{ GetBindAddr() string }).GetBindAddr() }
	for deadline := time.Now().Add(10 * time.Second); address() == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server does not listen")
		}
	}
	return served{address: address(), authority: authority}
}

// get returns the status and the body, or the error of the connection.
func (s served) get(path, token string) (string, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.authority.Pair().Certificate)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: inventory.AgentName}}
	request, err := http.NewRequest(http.MethodGet, "https://"+s.address+path, http.NoBody)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return fmt.Sprintf("%d %s", response.StatusCode, text), err
}

func TestServing(t *testing.T) {
	config, api := startAPI(t)
	now, dir := time.Now(), t.TempDir()
	authority, err := pki.NewAuthority("test", now)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, config, dir, authority)

	if got, err := s.get(inventory.Path, ""); err == nil {
		t.Errorf("without a certificate nothing is served in plain text or by another: got %s", got)
	}
	pair, err := authority.Endpoint(inventory.AgentName, now)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, pair)

	cases := map[string]struct{ reason, path, token, want string }{
		"Nobody":    {"who shows no token is asked for one", inventory.Path, "", "401"},
		"Forged":    {"nor does any word pass for one", inventory.Path, "secret", "401"},
		"Stranger":  {"who may do nothing here gets nothing", inventory.Path, account(t, api, "stranger"), "403"},
		"Auditor":   {"who may look gets all", inventory.Path, account(t, api, "auditor", inventory.Path), `200 {"leads":true`},
		"OtherPath": {"each path is a permission of its own", "/metrics", account(t, api, "reader", inventory.Path), "403"},
		"Metrics":   {"Prometheus gets the metrics", "/metrics", account(t, api, "prometheus", "/metrics"), "200 # HELP"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := s.get(tc.path, tc.token); err != nil || !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s: got %.80q, error %v, want %s", tc.reason, got, err, tc.want)
			}
		})
	}

	t.Run("Renewed", func(t *testing.T) {
		other, err := pki.NewAuthority("other", now)
		if err != nil {
			t.Fatal(err)
		}
		if pair, err = other.Endpoint(inventory.AgentName, now); err != nil {
			t.Fatal(err)
		}
		write(t, dir, pair)
		renewed := served{address: s.address, authority: other}
		if got, err := renewed.get(inventory.Path, ""); err != nil || !strings.HasPrefix(got, "401") {
			t.Errorf("a new certificate is served from the next connection on: got %.80q, error %v", got, err)
		}
	})
}
