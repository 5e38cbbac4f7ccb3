package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/pki"
)

var now = time.Now()

func newAuthority(t *testing.T, name string) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority(name, now)
	if err != nil {
		t.Fatalf("NewAuthority: %v", err)
	}
	return a
}

// must returns the pair, or fails the test.
func must(t *testing.T) func(pki.Pair, error) pki.Pair {
	t.Helper()
	return func(p pki.Pair, err error) pki.Pair {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func parse(t *testing.T, p pki.Pair) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return pair.Leaf
}

func pool(a *pki.Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.Pair().Certificate)
	return pool
}

func TestVerify(t *testing.T) {
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	server := must(t)(ours.Server("nb", []string{"ovn-central.l2sm-system.svc", "192.0.2.7", "fd00::7"}, now))
	client := must(t)(ours.Client("node-a", now))
	endpoint := must(t)(ours.Endpoint("l2sm-agent", now))
	year := 365 * 24 * time.Hour

	cases := map[string]struct {
		reason string
		pair   pki.Pair
		opts   x509.VerifyOptions
		valid  bool
	}{
		"Name":         {reason: "a server is known by its names", pair: server, opts: x509.VerifyOptions{DNSName: "ovn-central.l2sm-system.svc"}, valid: true},
		"OtherName":    {reason: "and by no others", pair: server, opts: x509.VerifyOptions{DNSName: "nb"}},
		"IPv4":         {reason: "a server is known by its addresses", pair: server, opts: x509.VerifyOptions{DNSName: "192.0.2.7"}, valid: true},
		"IPv6":         {reason: "of both families", pair: server, opts: x509.VerifyOptions{DNSName: "[fd00::7]"}, valid: true},
		"OtherAddress": {reason: "and by no others", pair: server, opts: x509.VerifyOptions{DNSName: "192.0.2.8"}},
		"RaftPeer":     {reason: "members of a cluster are each other's clients", pair: server, opts: x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, valid: true},
		"Client":       {reason: "a client is a client", pair: client, opts: x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, valid: true},
		"ClientServes": {reason: "a client's key must not pass for the server's", pair: client},
		"Endpoint":     {reason: "an agent is asked for by its program's name", pair: endpoint, opts: x509.VerifyOptions{DNSName: "l2sm-agent"}, valid: true},
		"EndpointAsks": {reason: "what an agent serves with opens no database", pair: endpoint, opts: x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}},
		"OtherCA":      {reason: "another authority's word does not count", pair: server, opts: x509.VerifyOptions{Roots: pool(other)}},
		"ClockIsLate":  {reason: "hosts' clocks differ by minutes", pair: server, opts: x509.VerifyOptions{CurrentTime: now.Add(-30 * time.Minute)}, valid: true},
		"FourYears":    {reason: "a certificate holds for five years", pair: server, opts: x509.VerifyOptions{CurrentTime: now.Add(4 * year)}, valid: true},
		"SixYears":     {reason: "and not for longer", pair: server, opts: x509.VerifyOptions{CurrentTime: now.Add(6 * year)}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.opts.Roots == nil {
				tc.opts.Roots = pool(ours)
			}
			if _, err := parse(t, tc.pair).Verify(tc.opts); (err == nil) != tc.valid {
				t.Errorf("%s: want valid %t, got %v", tc.reason, tc.valid, err)
			}
		})
	}
}

func TestClientIsKnownByItsName(t *testing.T) {
	client := must(t)(newAuthority(t, "ours").Client("node-a", now))
	if got := parse(t, client).Subject.CommonName; got != "node-a" {
		t.Errorf("common name: want node-a, got %q", got)
	}
}

func TestAuthorityIsKept(t *testing.T) {
	first := newAuthority(t, "ours")
	second, err := pki.ParseAuthority(first.Pair())
	if err != nil {
		t.Fatalf("ParseAuthority: %v", err)
	}

	late := must(t)(second.Client("node-b", now))
	if _, err := parse(t, late).Verify(x509.VerifyOptions{Roots: pool(first), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("a certificate signed by the authority that was read back: %v", err)
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	ours := newAuthority(t, "ours")
	client := must(t)(ours.Client("node-a", now))
	cases := map[string]struct {
		reason string
		pair   pki.Pair
	}{
		"Nothing":  {reason: "there is nothing to parse", pair: pki.Pair{}},
		"OtherKey": {reason: "a certificate is of no use with another's key", pair: pki.Pair{Certificate: ours.Pair().Certificate, Key: client.Key}},
		"Leaf":     {reason: "what such a certificate signs is worth nothing", pair: client},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := pki.ParseAuthority(tc.pair); err == nil {
				t.Errorf("%s: want an error", tc.reason)
			}
		})
	}
}

// write fills a folder as a mounted secret would be.
func write(t *testing.T, dir string, a *pki.Authority, own pki.Pair) {
	t.Helper()
	for name, content := range map[string][]byte{
		pki.AuthorityFile:   a.Pair().Certificate,
		pki.CertificateFile: own.Certificate,
		pki.KeyFile:         own.Key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// serve starts a server whose certificate one authority signed, and that takes
// clients of another. It answers with the common name of its client.
func serve(t *testing.T, signer, clients *pki.Authority) *httptest.Server {
	t.Helper()
	own := must(t)(signer.Server("server", []string{"127.0.0.1"}, now))
	pair, err := tls.X509KeyPair(own.Certificate, own.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	s.TLS = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool(clients),
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// ask returns what the server calls its client.
func ask(server *httptest.Server, cfg *tls.Config) (string, error) {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
	response, err := client.Get(server.URL)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	name, err := io.ReadAll(response.Body)
	return string(name), err
}

func TestLoadUsesRenewedCertificate(t *testing.T) {
	ours, dir := newAuthority(t, "ours"), t.TempDir()
	server := serve(t, ours, ours)
	write(t, dir, ours, must(t)(ours.Client("old", now)))
	cfg, err := pki.Load(dir)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}

	for _, want := range []string{"old", "renewed"} {
		write(t, dir, ours, must(t)(ours.Client(want, now)))
		if got, err := ask(server, cfg); err != nil || got != want {
			t.Errorf("want the certificate of %q used, got %q, error %v", want, got, err)
		}
	}
}

func TestLoadRefusesOtherServer(t *testing.T) {
	ours, dir := newAuthority(t, "ours"), t.TempDir()
	write(t, dir, ours, must(t)(ours.Client("client", now)))
	cfg, err := pki.Load(dir)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if name, err := ask(serve(t, newAuthority(t, "other"), ours), cfg); err == nil {
		t.Errorf("a server of another authority was trusted; it calls us %q", name)
	}
}

func TestLoadRefuses(t *testing.T) {
	ours := newAuthority(t, "ours")
	client := must(t)(ours.Client("client", now))
	cases := map[string]struct {
		reason string
		spoil  func(dir string) error
	}{
		"NoAuthority":   {reason: "nobody could be trusted", spoil: func(dir string) error { return os.Remove(filepath.Join(dir, pki.AuthorityFile)) }},
		"NoCertificate": {reason: "the client would show none", spoil: func(dir string) error { return os.Remove(filepath.Join(dir, pki.CertificateFile)) }},
		"NoKey":         {reason: "the certificate is of no use", spoil: func(dir string) error { return os.Remove(filepath.Join(dir, pki.KeyFile)) }},
		"Rubbish": {reason: "an authority that is none trusts nobody", spoil: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, pki.AuthorityFile), []byte("rubbish"), 0o600)
		}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, ours, client)
			if err := tc.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := pki.Load(dir); err == nil {
				t.Errorf("%s: want an error", tc.reason)
			}
		})
	}
}
