package inventory

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/pprof"
)

// Handler serves what gather returns.
func Handler[T any](gather func(context.Context) (T, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			http.Error(w, "the inventory is read-only", http.StatusMethodNotAllowed)
			return
		}
		all, err := gather(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		text, err := json.Marshal(all)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the caller has gone, and needs none
	})
}

// ProfilesPath is below which the profiles of the running program are.
const ProfilesPath = "/debug/pprof/"

// Profiles are the handlers of the running program's profiles by their
// patterns, in the form of net/http/pprof: go tool pprof reads them.
func Profiles() map[string]http.Handler {
	return map[string]http.Handler{
		ProfilesPath:             http.HandlerFunc(pprof.Index), // and each profile by its name
		ProfilesPath + "cmdline": http.HandlerFunc(pprof.Cmdline),
		ProfilesPath + "profile": http.HandlerFunc(pprof.Profile),
		ProfilesPath + "symbol":  http.HandlerFunc(pprof.Symbol),
		ProfilesPath + "trace":   http.HandlerFunc(pprof.Trace),
	}
}
