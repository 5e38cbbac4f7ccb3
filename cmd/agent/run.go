package main

import (
	"context"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/internal/kube"
)

// run runs the agent until the context ends.
func run(ctx context.Context, o options) error {
	log := newLogger(o.verbose)
	klog.SetLogger(log) // client-go's
	// As kubectl finds it, and in a pod by its service account.
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	config.UserAgent = "l2sm-agent/" + version
	o.agent.Version = version
	a, err := agent.New(config, o.agent, log)
	if err != nil {
		return err
	}
	api, err := kube.New(config)
	if err != nil {
		return err
	}
	keeper := &identity.Keeper{API: api, Node: o.agent.Node, Dir: o.ovnTLSDir, Log: log.WithName("identity"), Told: a.Certified}
	// Side by side: OVN, which the agent's readiness waits for, needs the certificate.
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return a.Run(ctx) })
	all.Go(func() error { return keeper.Run(ctx) })
	return all.Wait()
}

func newLogger(verbose bool) logr.Logger {
	level := zapcore.InfoLevel
	if verbose {
		level = zapcore.DebugLevel
	}
	form := zap.NewProductionEncoderConfig()
	form.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	return zapr.NewLogger(zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(form), zapcore.Lock(os.Stderr), level)))
}
