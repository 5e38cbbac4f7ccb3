package nri

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/containerd/nri/pkg/stub"
	"github.com/go-logr/logr"
)

// pluginName and pluginIndex are how the runtime names the plugin. Plugins are
// called in the order of their indexes.
const pluginName, pluginIndex = "l2sm", "50"

// configureTimeout bounds how long a runtime may take to configure the plugin: the
// stub would wait for ever for one that ends meanwhile. What follows, Synchronize,
// may take as long as the runtime takes to stop a container.
const configureTimeout = 10 * time.Second

// errNotConfigured says that the runtime has taken the connection, and no more.
var errNotConfigured = errors.New("the container runtime's NRI takes the connection, and does not configure the plugin")

// connect serves one connection, and returns why it ended.
func connect(ctx context.Context, socket string, log logr.Logger, handler Handler) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("connect to the container runtime's NRI: %w", err)
	}
	defer func() { _ = conn.Close() }()
	p := &plugin{handler: handler, configured: make(chan struct{})}
	s, err := stub.New(p, stub.WithPluginName(pluginName), stub.WithPluginIdx(pluginIndex), stub.WithConnection(conn), stub.WithLogger(logger{log}))
	if err != nil {
		return fmt.Errorf("make NRI plugin: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	timer := time.NewTimer(configureTimeout)
	defer timer.Stop()
	select {
	case err := <-ended:
		return closed(err)
	case <-timer.C:
		return errNotConfigured // the stub can't be told to give up
	case <-p.configured:
	case <-ctx.Done():
		return ctx.Err()
	}
	return closed(<-ended)
}

func closed(err error) error {
	return fmt.Errorf("the container runtime's NRI closed the connection: %w", err)
}

// logger takes the stub's messages, of which only errors say more than the agent's
// own.
type logger struct{ log logr.Logger }

func (l logger) Debugf(context.Context, string, ...any) {}
func (l logger) Infof(context.Context, string, ...any)  {}
func (l logger) Warnf(_ context.Context, format string, args ...any) {
	l.log.Info(fmt.Sprintf(format, args...))
}
func (l logger) Errorf(_ context.Context, format string, args ...any) {
	l.log.Info(fmt.Sprintf(format, args...))
}

var (
	_ stub.ConfigureInterface       = (*plugin)(nil)
	_ stub.SynchronizeInterface     = (*plugin)(nil)
	_ stub.RunPodInterface          = (*plugin)(nil)
	_ stub.CreateContainerInterface = (*plugin)(nil)
	_ stub.StopPodInterface         = (*plugin)(nil)
)
