package ovn_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

func TestApplyCreates(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	want := network("ping", port(1), port(2))

	got := apply(t, client, want)

	if diff := cmp.Diff(ovn.Result{Committed: true, Added: names(port(1), port(2))}, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(names(port(1), port(2)), portsOn(server, "l2sm/default/ping")); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	for column, want := range map[string]string{
		"addresses":                             `["0a:58:0a:65:00:01 10.101.0.1"]`,
		"port_security":                         `["0a:58:0a:65:00:01 10.101.0.1/16"]`,
		`external_ids:"l2sm.io/network"`:        `"default/ping"`,
		`external_ids:"l2sm.io/network-uid"`:    "uid-of-ping",
		`external_ids:"l2sm.io/attachment-uid"`: "uid-of-attachment-1",
	} {
		if got := server.Get("Logical_Switch_Port", port(1).Name, column); got != want {
			t.Errorf("%s of the port: want %s, got %s", column, want, got)
		}
	}
	if got, want := server.Commits(), 1; got != want {
		t.Errorf("commits: want %d, got %d", want, got)
	}
}
