package manage

import (
	"crypto/tls"

	metricsfilters "sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"l2sm.io/l2sm/internal/pki"
)

// Metrics is how a manager serves metrics and its inventory: by TLS, with the
// certificate in a folder, to callers whom the API server knows by their token
// and lets get that path. Without a folder the certificate is one that nobody
// else has signed.
func Metrics(address, dir string) metricsserver.Options {
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
