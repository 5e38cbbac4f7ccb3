package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Controller is the program l2sm-controller, which may be stopped and started again.
type Controller struct {
	argv    []string
	env     []string
	dir     string
	metrics string
	ready   string
	token   string
	web     *http.Client
	process *process
}

func (s *Stack) newController(ctx context.Context, o Options) (*Controller, error) {
	kubeconfig, err := s.user(s.dir, controllerUser)
	if err != nil {
		return nil, err
	}
	token, err := s.token(ctx)
	if err != nil {
		return nil, err
	}
	metrics, err := freeAddress()
	if err != nil {
		return nil, err
	}
	probes, err := freeAddress()
	if err != nil {
		return nil, err
	}
	argv := []string{
		o.Controller, "--fabric=" + string(o.Fabric), fmt.Sprintf("--leader-elect=%t", o.LeaderElect),
		"--metrics-bind-address=" + metrics, "--health-probe-bind-address=" + probes,
	}
	if s.OVN != nil {
		argv = append(argv, "--nb="+s.OVN.Socket("nb"), "--sb="+s.OVN.Socket("sb"))
	}
	return &Controller{
		argv: argv,
		env:  []string{"KUBECONFIG=" + kubeconfig},
		dir:  s.dir, metrics: "https://" + metrics + "/metrics", ready: "http://" + probes + "/readyz", token: token,
		web: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, // it signs its own certificate, on this machine
			DisableCompression: true,                                  // which the controller would pay for
		}},
	}, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// Start starts the program; it does not wait for anything.
func (c *Controller) Start() error {
	var err error
	c.process, err = launch(c.dir, "controller", c.env, c.argv...)
	return err
}

// ErrEnded says that the controller has ended by itself.
var ErrEnded = errors.New("the controller has ended by itself")

// AwaitReady waits until it says that it is ready.
func (c *Controller) AwaitReady(ctx context.Context, patience time.Duration) error {
	err := Until(ctx, patience, 50*time.Millisecond, "the controller is ready", func() bool {
		return c.process.ended() || c.isReady()
	})
	return errors.Join(err, c.Alive())
}

// Alive returns ErrEnded where the program has ended.
func (c *Controller) Alive() error {
	if c.process.ended() {
		return fmt.Errorf("%w: %w", ErrEnded, c.process.err)
	}
	return nil
}

func (c *Controller) isReady() bool {
	resp, err := c.web.Get(c.ready)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Stop ends the program, if it runs.
func (c *Controller) Stop() error { return c.process.stop() }

// Memory is its resident set and the largest it was, in MiB.
func (c *Controller) Memory() (resident, peak float64, err error) { return Memory(c.process.pid()) }

// Metrics reads what the program counts.
func (c *Controller) Metrics(ctx context.Context) (Metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.metrics, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.web.Do(request)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the controller's metrics: %w", err), c.Alive())
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the controller's metrics: %s", resp.Status)
	}
	return parseMetrics(resp.Body)
}

// quietFor is how long nothing may happen in a controller that has nothing to do.
const quietFor = time.Second

// AwaitQuiet waits until the controller has nothing to do: nothing queued, nobody working, and no request, reconcile or
// transaction for a second. It returns when that second began. A controller that reads its caches does nothing either, so
// there must have been so many reconciles at least: as many as it has to do after its start.
func (c *Controller) AwaitQuiet(ctx context.Context, patience time.Duration, reconciles int) (time.Time, error) {
	last, since := -1.0, time.Now()
	var failure error
	err := Until(ctx, patience, 200*time.Millisecond, "the controller has nothing to do", func() bool {
		if failure = c.Alive(); failure != nil {
			return true
		}
		m, err := c.Metrics(ctx)
		if err != nil { // not listening yet
			last, since = -1, time.Now()
			return false
		}
		reconciled := m.Sum("controller_runtime_reconcile_total")
		done := reconciled + m.Sum("rest_client_requests_total") + m.Sum("l2sm_northbound_transactions_total")
		if done == 0 || reconciled < float64(reconciles) || done != last || m.Sum("workqueue_depth") > 0 || m.Sum("controller_runtime_active_workers") > 0 {
			last, since = done, time.Now()
		}
		return time.Since(since) >= quietFor
	})
	return since, errors.Join(err, failure)
}
