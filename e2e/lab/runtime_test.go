package lab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/e2e/lab/node"
)

func TestRuntimeService(t *testing.T) {
	cases := map[string]struct {
		reason string
		want   node.Runtime
	}{
		"containerd": {
			"the machine's own, as $PATH finds it",
			node.Runtime{
				Name: "containerd", Socket: "/run/containerd/containerd.sock",
				Argv: []string{"containerd", "--config", "/config"},
			},
		},
		"containerd-2": {
			"with the shim of its own module, not the machine's",
			node.Runtime{
				Name: "containerd", Socket: "/run/containerd/containerd.sock", Path: "/programs",
				Argv: []string{"/programs/containerd", "--config", "/config"},
			},
		},
		"crio": {
			"with no folder of further configuration files, which would be the machine's",
			node.Runtime{
				Name: "crio", Socket: "/run/crio/crio.sock", Path: "/programs",
				Argv: []string{"/programs/crio", "--config-dir", "", "--config", "/config"},
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := runtimeOf(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, r.service("/programs", "/config")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

// A typing error is told with the names that there are, before anything is built or removed.
func TestUnknownRuntime(t *testing.T) {
	_, err := Up(t.Context(), Options{Name: "dev", Nodes: 1, Runtime: "dockershim"})
	if err == nil || !strings.Contains(err.Error(), `"dockershim"`) || !strings.Contains(err.Error(), "containerd-2") {
		t.Errorf("got %v, want an error that names what was asked for and what there is", err)
	}
}
