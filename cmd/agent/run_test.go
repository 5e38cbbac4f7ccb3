package main

import (
	"context"
	"path/filepath"
	"testing"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/manage/managetest"
)

// An agent that starts while the API server is away waits for it.
func TestStartsWithoutAPIServer(t *testing.T) {
	for _, fabric := range []v1alpha1.Fabric{v1alpha1.FabricCentral, v1alpha1.FabricZones} {
		t.Run(string(fabric), func(t *testing.T) { startsWithoutAPIServer(t, fabric) })
	}
}

func startsWithoutAPIServer(t *testing.T, fabric v1alpha1.Fabric) {
	dir := t.TempDir()
	o := options{
		ovnTLSDir: filepath.Join(dir, "ovn"),
		databases: databases{northbound: "unix:" + filepath.Join(dir, "nb.sock"), southbound: "unix:" + filepath.Join(dir, "sb.sock")},
		agent: agent.Config{
			Node: "a", Fabric: fabric, UnderlayMTU: 1500, SysctlRoot: "/proc/sys",
			CNISocket: filepath.Join(dir, "cni.sock"), OVSDB: "unix:" + filepath.Join(dir, "db.sock"), CRI: "unix://" + filepath.Join(dir, "cri.sock"),
			MetricsAddress: "0", ProbeAddress: managetest.Address(3),
		},
	}
	managetest.RunsWithout(t, o.agent.ProbeAddress, func(ctx context.Context) error { return run(ctx, o) })
}
