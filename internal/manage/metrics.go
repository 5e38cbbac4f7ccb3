package manage

import (
	"crypto/tls"
	"net/http"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/kube"
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
		FilterProvider: authorized,
	}
	if dir != "" {
		o.TLSOpts = []func(*tls.Config){func(c *tls.Config) {
			c.MinVersion = tls.VersionTLS12
			c.GetCertificate = pki.Serve(dir)
		}}
	}
	return o
}

// authorized has the API server say who a caller is, and whether it may.
func authorized(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	reviews, err := kube.NewReviews(config, client)
	if err != nil {
		return nil, err
	}
	return func(_ logr.Logger, handler http.Handler) (http.Handler, error) {
		return inventory.Guard(reviews.Allow, handler), nil
	}, nil
}
