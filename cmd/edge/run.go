package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"l2sm.io/l2sm/internal/edge"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/logging"
)

// run runs the edge until the context ends.
func run(ctx context.Context, o options) error {
	log := logging.New(o.verbose)
	klog.SetLogger(log) // client-go's
	// As kubectl finds it, and in a pod by its service account.
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	config.UserAgent = "l2sm-edge/" + version
	if o.edge.API, err = kube.New(config); err != nil {
		return err
	}
	o.edge.Log = log
	e, err := edge.New(o.edge)
	if err != nil {
		return err
	}
	return e.Run(ctx)
}
