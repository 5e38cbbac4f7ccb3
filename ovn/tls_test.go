package ovn_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/pki"
	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// folder makes the files of one party to a connection.
func folder(t *testing.T, trusted *pki.Authority, own pki.Pair) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		pki.AuthorityFile:   trusted.Pair().Certificate,
		pki.CertificateFile: own.Certificate,
		pki.KeyFile:         own.Key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTLS(t *testing.T) {
	now := time.Now()
	authority := func() *pki.Authority {
		a, err := pki.NewAuthority("test", now)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ours, other := authority(), authority()
	serverPair, err := ours.Server("nb", []string{"127.0.0.1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	files := folder(t, ours, serverPair)
	server := ovntest.NewNorthbound(t, ovntest.WithTLS(
		filepath.Join(files, pki.KeyFile), filepath.Join(files, pki.CertificateFile), filepath.Join(files, pki.AuthorityFile)))

	cases := map[string]struct {
		reason   string
		trusted  *pki.Authority
		sign     func(string, time.Time) (pki.Pair, error)
		accepted bool
	}{
		"Ours":        {reason: "both sides know the same authority", trusted: ours, sign: ours.Client, accepted: true},
		"OtherServer": {reason: "the client does not trust the server", trusted: other, sign: ours.Client},
		"OtherClient": {reason: "the server does not trust the client", trusted: ours, sign: other.Client},
		"Endpoint":    {reason: "an agent's certificate is for being asked", trusted: ours, sign: ours.Endpoint},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pair, err := tc.sign("controller", now)
			if err != nil {
				t.Fatal(err)
			}
			tlsConfig, err := pki.Load(folder(t, tc.trusted, pair))
			if err != nil {
				t.Fatal(err)
			}
			client := dialConfig(t, ovn.Config{Endpoints: []string{server.Endpoint()}, TLS: tlsConfig})

			if tc.accepted {
				apply(t, client, network("ping", ports(1000)...))
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			if _, err := client.Apply(ctx, network("pong")); !errors.Is(err, ovn.ErrNotConnected) {
				t.Errorf("%s: want ErrNotConnected, got %v", tc.reason, err)
			} else {
				t.Logf("what the user reads: %v", err)
			}
		})
	}
}
