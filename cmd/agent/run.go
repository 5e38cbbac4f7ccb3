package main

import (
	"context"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"l2sm.io/l2sm/internal/agent"
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
	return a.Run(ctx)
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
