package main

import (
	"context"
	"path/filepath"
	"testing"

	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/manage/managetest"
)

// An agent that starts while the API server is away waits for it.
func TestStartsWithoutAPIServer(t *testing.T) {
	dir := t.TempDir()
	o := options{
		ovnTLSDir: filepath.Join(dir, "ovn"),
		agent: agent.Config{
			Node: "a", UnderlayMTU: 1500, SysctlRoot: "/proc/sys",
			CNISocket: filepath.Join(dir, "cni.sock"), OVSDB: "unix:" + filepath.Join(dir, "db.sock"), CRI: "unix://" + filepath.Join(dir, "cri.sock"),
			MetricsAddress: "0", ProbeAddress: "127.0.0.1:39472",
		},
	}
	managetest.RunsWithout(t, o.agent.ProbeAddress, func(ctx context.Context) error { return run(ctx, o) })
}
