package inventory

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const (
	// allowedFor is how long a permission is remembered: a Prometheus that comes
	// every few seconds need not be asked about each time.
	allowedFor = time.Minute
	// allowedMost bounds the memory of permissions. A cluster has a few callers.
	allowedMost = 256
)

// allowed are the requests that were allowed lately. Its zero value is empty and
// ready for use.
type allowed struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

// keyOf keeps no token in memory.
func keyOf(r *http.Request, token string) [sha256.Size]byte {
	return sha256.Sum256([]byte(r.Method + "\x00" + r.URL.Path + "\x00" + token))
}

func (a *allowed) has(r *http.Request, token string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Before(a.until[keyOf(r, token)])
}

func (a *allowed) add(r *http.Request, token string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.until == nil || len(a.until) >= allowedMost {
		a.until = map[[sha256.Size]byte]time.Time{}
	}
	a.until[keyOf(r, token)] = now.Add(allowedFor)
}
