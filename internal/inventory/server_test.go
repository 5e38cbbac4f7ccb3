package inventory_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"l2sm.io/l2sm/internal/inventory"
)

// serve starts a server that knows tokens by the paths that they may get, and
// returns how to get a path and how often it was asked for a permission.
func serve(t *testing.T, may map[string]string) (get func(path, token string) string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	handlers := inventory.Profiles()
	handlers[inventory.Path] = inventory.Handler(func(context.Context) (inventory.Node, error) { return inventory.Node{Node: "node-a"}, nil })
	s := &inventory.Server{Name: inventory.AgentName, Handlers: handlers, Allow: func(_ context.Context, token string, r *http.Request) (int, error) {
		asked.Add(1)
		path, known := may[token]
		switch {
		case token == "away":
			return 0, errors.New("no API server")
		case !known:
			return http.StatusUnauthorized, nil
		case !strings.HasPrefix(r.URL.Path, path):
			return http.StatusForbidden, nil
		}
		return http.StatusOK, nil
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // it signs its own
	return func(path, token string) string {
		request, err := http.NewRequest(http.MethodGet, "https://"+listener.Addr().String()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", response.StatusCode, text)
	}, asked
}

func TestServer(t *testing.T) {
	get, _ := serve(t, map[string]string{"auditor": inventory.Path, "developer": inventory.ProfilesPath, "stranger": "/none"})
	cases := map[string]struct{ reason, path, token, want string }{
		"Nobody":    {"a caller without a token is asked for one", inventory.Path, "", "401"},
		"Forged":    {"any other word is no token", inventory.Path, "secret", "401"},
		"Stranger":  {"a caller without permission gets nothing", inventory.Path, "stranger", "403"},
		"Away":      {"what can't be asked is not allowed", inventory.Path, "away", "503"},
		"Auditor":   {"a caller with permission gets all", inventory.Path, "auditor", `200 {"node":"node-a"`},
		"OtherPath": {"each path is a permission of its own", inventory.ProfilesPath, "auditor", "403"},
		"Profiles":  {"they are listed", inventory.ProfilesPath, "developer", "200 <html>"},
		"Profile":   {"each is served by its name", inventory.ProfilesPath + "goroutine?debug=1", "developer", "200 goroutine profile"},
		"Unknown":   {"nothing else is there", "/none", "stranger", "404"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := get(tc.path, tc.token); !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s: got %.80q, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

// A Prometheus asks every few seconds, on every node.
func TestPermissionIsRemembered(t *testing.T) {
	get, asked := serve(t, map[string]string{"auditor": inventory.Path})
	for range 3 {
		get(inventory.Path, "auditor")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("3 requests asked %d times for the permission, want once", n)
	}
	for range 3 {
		get(inventory.Path, "secret")
	}
	if n := asked.Load(); n != 4 {
		t.Errorf("3 requests that are refused asked %d times, want each time: the permission may come", n-1)
	}
	if got := get("/metrics", "auditor"); !strings.HasPrefix(got, "403") {
		t.Errorf("another path is allowed as well: got %.80q", got)
	}
}
