package inventory

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Allow says whether the holder of a bearer token may do what the request does:
// http.StatusOK, or the status to refuse it with.
type Allow func(ctx context.Context, token string, r *http.Request) (int, error)

// Guard lets those requests through to the handler that allow lets: it is asked
// at most once a minute for the same token, method and path, but where it said
// no.
func Guard(allow Allow, next http.Handler) http.Handler {
	return &guard{allow: allow, next: next}
}

type guard struct {
	allow   Allow
	next    http.Handler
	allowed allowed
}

// ServeHTTP is http.Handler's.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, has := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !has || token == "" {
		http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
		return
	}
	status, err := g.ask(r, token)
	if err != nil {
		http.Error(w, "the API server can't be asked whether this is allowed", http.StatusServiceUnavailable)
		return
	}
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *guard) ask(r *http.Request, token string) (int, error) {
	now := time.Now()
	if g.allowed.has(r, token, now) {
		return http.StatusOK, nil
	}
	status, err := g.allow(r.Context(), token, r)
	if err == nil && status == http.StatusOK {
		g.allowed.add(r, token, now)
	}
	return status, err
}
