package main

import (
	"context"
	"testing"

	"l2sm.io/l2sm/internal/manage/managetest"
)

// A controller that starts while the API server is away waits for it.
func TestStartsWithoutAPIServer(t *testing.T) {
	o := options{
		northbound: []string{"unix:/nowhere/nb"}, southbound: []string{"unix:/nowhere/sb"}, underlayMTU: 1500, underlayFamily: "IPv4",
		namespace: "l2sm-system", leaderElect: true, metricsAddress: "0", probeAddress: "127.0.0.1:39081",
	}
	managetest.RunsWithout(t, o.probeAddress, func(ctx context.Context) error { return run(ctx, o) })
}
