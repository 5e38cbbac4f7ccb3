package cri_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/cri/critest"
)

func dial(t *testing.T, endpoint string) *cri.Client {
	t.Helper()
	c, err := cri.New(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestSandboxes(t *testing.T) {
	fake := critest.Start(t)
	c := dial(t, "unix://"+fake.Socket())
	made := time.Unix(1795561561, 142).Local()
	old := cri.Sandbox{ID: "c1", PodNamespace: "default", PodName: "ping", PodUID: "uid-1", Created: made}
	fresh := cri.Sandbox{ID: "c2", PodNamespace: "default", PodName: "ping", PodUID: "uid-1", Ready: true, Attempt: 1, Created: made.Add(time.Second)}
	other := cri.Sandbox{ID: "c3", PodNamespace: "other", PodName: "pong", PodUID: "uid-2", Ready: true, Created: made}
	for _, s := range []cri.Sandbox{old, fresh, other} {
		fake.Put(s, "/var/run/netns/"+s.ID)
	}
	for name, tc := range map[string]struct {
		reason string
		list   func() ([]cri.Sandbox, error)
		want   []cri.Sandbox
	}{
		"All":     {"the sweep asks for the node's", func() ([]cri.Sandbox, error) { return c.Sandboxes(t.Context()) }, []cri.Sandbox{old, fresh, other}},
		"OfAPod":  {"a pod may have had several", func() ([]cri.Sandbox, error) { return c.SandboxesOf(t.Context(), "uid-1") }, []cri.Sandbox{old, fresh}},
		"OfNoPod": {"a pod has none while it is made", func() ([]cri.Sandbox, error) { return c.SandboxesOf(t.Context(), "uid-3") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.list()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	if path, err := c.Netns(t.Context(), "c2"); err != nil || path != "/var/run/netns/c2" {
		t.Errorf("Netns = %q, %v", path, err)
	}
	if path, err := c.Netns(t.Context(), "none"); err == nil {
		t.Errorf("Netns of a sandbox that does not exist = %q, want an error", path)
	}
}

func TestReconnects(t *testing.T) {
	fake := critest.Start(t)
	c := dial(t, fake.Socket())
	list := func() error { _, err := c.Sandboxes(t.Context()); return err }
	if err := list(); err != nil {
		t.Fatal(err)
	}
	fake.Stop()
	if err := list(); err == nil || !strings.Contains(err.Error(), fake.Socket()) {
		t.Errorf("without a runtime a call fails with %v, want its socket in the error", err)
	}
	fake.Serve()
	gomega.NewWithT(t).Eventually(list, "10s", "10ms").Should(gomega.Succeed(), "the runtime is back")
}

func TestNewRefuses(t *testing.T) {
	for _, endpoint := range []string{"tcp://127.0.0.1:1", "containerd.sock"} {
		if _, err := cri.New(endpoint); err == nil || !strings.Contains(err.Error(), endpoint) {
			t.Errorf("New(%q) = %v, want an error that names it", endpoint, err)
		}
	}
}
