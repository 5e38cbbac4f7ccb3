// Package managetest is for tests of programs that start while the API server is
// away.
package managetest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const kubeconfig = `{apiVersion: v1, kind: Config, current-context: away,
contexts: [{name: away, context: {cluster: away, user: away}}],
clusters: [{name: away, cluster: {server: "http://127.0.0.1:1"}}],
users: [{name: away, user: {}}]}`

// Address is one to listen at that no other program has: a port beneath those that
// Linux gives to connections (net.ipv4.ip_local_port_range), on an address of the
// loopback interface that nothing else listens at. Tests that run at once, of any
// package, use different numbers.
func Address(number byte) string { return fmt.Sprintf("127.8.1.%d:8081", number) }

// RunsWithout runs a program that finds no API server: it must be healthy, and
// end without an error when it is told to.
func RunsWithout(t *testing.T, probeAddress string, run func(context.Context) error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", file)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	for !healthy(ctx, probeAddress) {
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("told to end, it said: %v", err)
	}
}

func healthy(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}
