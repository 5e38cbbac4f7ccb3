package main

import (
	"context"

	"k8s.io/klog/v2"

	"l2sm.io/l2sm/internal/edge"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/logging"
)

// run runs the edge until the context ends.
func run(ctx context.Context, o options) error {
	log := logging.New(o.verbose)
	klog.SetLogger(log) // client-go's
	config, err := kube.Find("l2sm-edge/" + version)
	if err != nil {
		return err
	}
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
