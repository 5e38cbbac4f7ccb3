package main

import (
	"context"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/logging"
)

// run runs the agent until the context ends.
func run(ctx context.Context, o options) error {
	log := logging.New(o.verbose)
	klog.SetLogger(log) // client-go's
	config, err := kube.Find("l2sm-agent/" + version)
	if err != nil {
		return err
	}
	o.agent.Version = version
	a, err := agent.New(config, o.agent, log)
	if err != nil {
		return err
	}
	beside, err := ovnPart(a, o, log)
	if err != nil {
		return err
	}
	// Side by side: pods' interfaces wait for what the other does.
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return a.Run(ctx) })
	all.Go(func() error { return beside(ctx) })
	return all.Wait()
}

// ovnPart is what the node's OVN needs of the agent: a certificate for the central
// database, or the content of its own.
func ovnPart(a *agent.Agent, o options, log logr.Logger) (func(context.Context) error, error) {
	if o.agent.Fabric.Zoned() {
		writer, err := newWriter(a, o, log)
		if err != nil {
			return nil, err
		}
		a.ShowZone(writer.Inventory)
		return writer.Run, nil
	}
	keeper := &identity.Keeper{API: a.API(), Node: o.agent.Node, Dir: o.ovnTLSDir, Log: log.WithName("identity"), Told: a.Certified}
	return keeper.Run, nil
}
