package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/manage/managetest"
	"l2sm.io/l2sm/internal/tunnelkey"
)

// A controller that starts while the API server is away waits for it.
func TestStartsWithoutAPIServer(t *testing.T) {
	o := options{
		fabric: v1alpha1.FabricCentral, tunnelKeys: tunnelkey.DefaultNetworks,
		northbound: []string{"unix:/nowhere/nb"}, southbound: []string{"unix:/nowhere/sb"}, underlayMTU: 1500, underlayFamily: "IPv4",
		namespace: "l2sm-system", leaderElect: true, metricsAddress: "0", probeAddress: managetest.Address(1),
	}
	managetest.RunsWithout(t, o.probeAddress, func(ctx context.Context) error { return run(ctx, o) })
}

// Where each node has a northbound database of its own, the controller needs none:
// neither endpoints nor certificates, and it is ready without. It is a process of its
// own, as the names of controllers are taken once.
func TestStartsWithoutDatabases(t *testing.T) {
	o := options{
		fabric: v1alpha1.FabricZones, tunnelKeys: tunnelkey.DefaultNetworks, northbound: []string{"ssl:nowhere:6641"}, tlsDir: "/nowhere",
		underlayMTU: 1500, underlayFamily: "IPv4",
		namespace: "l2sm-system", leaderElect: true, metricsAddress: "0", probeAddress: managetest.Address(2),
	}
	const child = "L2SM_TEST_CHILD"
	if os.Getenv(child) != "" {
		if err := run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		return
	}
	managetest.RunsWithout(t, o.probeAddress, func(ctx context.Context) error {
		running, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		command := exec.CommandContext(running, os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), child+"=yes")
		output := &bytes.Buffer{}
		command.Stdout, command.Stderr = output, output
		if err := command.Start(); err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		for !isReady(t, "http://"+o.probeAddress+"/readyz") {
			select {
			case err := <-ended:
				return fmt.Errorf("it ended: %w\n%s", err, output)
			case <-time.After(20 * time.Millisecond):
			}
		}
		<-ctx.Done()
		return nil
	})
}

func isReady(t *testing.T, url string) bool {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}
