package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/e2e/lab/patience"
)

// probeEvery is how often a starting node looks for what it waits for.
const probeEvery = 50 * time.Millisecond

// Run is the main function of PID 1. It returns only when the node cannot be set up.
func Run(ctx context.Context, f Folder) error {
	c, err := f.readConfig()
	if err != nil {
		return err
	}
	if err := f.mount(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(c.Name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return fmt.Errorf("forward packets of pods: %w", err)
	}
	return supervise(ctx, f.services(c))
}

func (f Folder) services(c Config) []service {
	program := func(name string) string { return filepath.Join(c.Programs, name) }
	log := func(name string) string { return filepath.Join(c.Logs, c.Name+"-"+name+".log") }
	services := []service{
		{
			argv: c.Runtime.Argv,
			path: c.Runtime.Path,
			log:  log(c.Runtime.Name),
		}, {
			argv: []string{program("kubelet"), "--config", f.Config("kubelet.yaml"),
				"--kubeconfig", f.Config("kubelet.kubeconfig"), "--hostname-override", c.Name, "--node-ip", c.IP, "--v=1"},
			log: log("kubelet"),
			// The kubelet gives up without a runtime, and backs off for seconds when it meets no API server.
			after: func(ctx context.Context) { waitForRuntime(ctx, c.Runtime.Socket); waitForAPI(ctx, c) },
		},
	}
	if c.Services {
		services = append(services, service{
			argv:  []string{program("kube-proxy"), "--config", f.Config("kube-proxy.yaml"), "--v=1"},
			log:   log("kube-proxy"),
			after: func(ctx context.Context) { waitForAPI(ctx, c) },
		})
	}
	return services
}

func waitForRuntime(ctx context.Context, socket string) {
	waitUntil(ctx, func() bool {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

func waitForAPI(ctx context.Context, c Config) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CA)
	client := &http.Client{
		Timeout:   patience.Of(time.Second),
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
	}
	waitUntil(ctx, func() bool {
		resp, err := client.Get(c.API + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func waitUntil(ctx context.Context, done func() bool) {
	for ctx.Err() == nil && !done() {
		time.Sleep(probeEvery)
	}
}
