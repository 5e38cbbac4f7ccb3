package inventory

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"

	metricsfilters "sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"l2sm.io/l2sm/internal/pki"
)

// Serving is how a program serves metrics and its inventory: by TLS, with the
// certificate in a folder, to callers whom the API server knows by their token
// and lets get that path. Without a folder the certificate is one that nobody
// else has signed.
func Serving(address, dir string) metricsserver.Options {
	o := metricsserver.Options{
		BindAddress:    address,
		SecureServing:  true,
		FilterProvider: metricsfilters.WithAuthenticationAndAuthorization,
	}
	if dir != "" {
		o.TLSOpts = []func(*tls.Config){func(c *tls.Config) {
			c.MinVersion = tls.VersionTLS12
			c.GetCertificate = pki.Serve(dir)
		}}
	}
	return o
}

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
