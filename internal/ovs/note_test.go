//go:build integration

package ovs_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

func TestNote(t *testing.T) {
	c := connect(t, ovstest.Start(t).Endpoint())
	p, other := port(t, "c1", 1), port(t, "c1", 2)
	p.Noted = ovs.Noted{Network: "default/a", MTU: 1442}
	change(t, c, []ovs.Port{p, other})
	only := func() ovs.Port {
		t.Helper()
		ports, err := c.Ports(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, is := range ports {
			if is.Name == p.Name {
				is.State = ovs.State{}
				return is
			}
		}
		return ovs.Port{}
	}
	note := func(was ovs.Port, noted ovs.Noted) {
		t.Helper()
		if err := c.Note(t.Context(), was, noted); err != nil {
			t.Fatalf("Note: %v", err)
		}
	}
	// Two who know the same of the port, and write different parts.
	was := only()
	note(was, ovs.Noted{Network: "default/b", InstalledAt: 7, MTU: 1442})
	note(was, ovs.Noted{Network: "default/a", MTU: 1300})
	want := p
	want.Noted = ovs.Noted{Network: "default/b", InstalledAt: 7, MTU: 1300}
	gomega.NewWithT(t).Eventually(only, nstest.Patience(5*time.Second), "10ms").Should(gomega.Equal(want), "neither undoes what the other wrote, or what else is there")

	another := only()
	another.Sandbox.Container = "c2"
	note(another, ovs.Noted{Network: "default/z"})
	note(ovs.Port{Name: "none", Attachment: p.Attachment}, ovs.Noted{MTU: 1})
	if diff := cmp.Diff(want, only()); diff != "" {
		t.Errorf("a port of another sandbox's is left alone (-want +got):\n%s", diff)
	}
}
