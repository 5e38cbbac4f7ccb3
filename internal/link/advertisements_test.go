//go:build integration

package link

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"l2sm.io/l2sm/internal/link/nstest"
)

// sysctls are those of the pod's interface that decide what a Router
// Advertisement does.
func sysctls(t *testing.T, netns string) (all string) {
	t.Helper()
	nstest.Do(t, netns, func() error {
		for _, key := range []string{"accept_ra", "autoconf"} {
			value, err := os.ReadFile(filepath.Join("/proc/sys/net/ipv6/conf/net1", key))
			if err != nil {
				return err
			}
			all += key + "=" + strings.TrimSpace(string(value)) + " "
		}
		return nil
	})
	return strings.TrimSpace(all)
}

// A pod follows no Router Advertisement unless it is asked to, whatever its
// namespace does with other interfaces, and can be told otherwise while it runs.
func TestAcceptRA(t *testing.T) {
	const follows, ignores = "accept_ra=1 autoconf=1", "accept_ra=0 autoconf=0"
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	defer remove(t, l)
	routed := want
	routed.AcceptRA = true
	for _, step := range []struct {
		reason string
		do     func() error
		want   string
	}{
		{"a network without routers", func() error { return l.Create(host, netns, want, Kernel) }, ignores},
		{"it allows routers", func() error { return l.SetAcceptRA(netns, "net1", AcceptRA(true)) }, follows},
		{"and forbids them", func() error { return l.SetAcceptRA(netns, "net1", AcceptRA(false)) }, ignores},
		{"it is gone", func() error { return l.Delete(host.Name) }, ""},
		{"a network with routers", func() error { return l.Create(host, netns, routed, Kernel) }, follows},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.reason, err)
		}
		if step.want == "" {
			continue
		}
		if got := sysctls(t, netns); got != step.want {
			t.Errorf("%s: %s, want %s", step.reason, got, step.want)
		}
	}
	if err := l.SetAcceptRA(netns, "net9", AcceptRA(true)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an interface that is not there: %v", err)
	}
}
