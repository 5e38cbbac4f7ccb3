package ovn_test

import (
	"os/exec"
	"testing"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// complete says whether the client takes the database for complete.
func complete(t *testing.T, c *ovn.Client, networks ...ovn.Network) bool {
	t.Helper()
	var keys []ovn.Key
	for _, n := range networks {
		keys = append(keys, n.Key)
	}
	marked, err := c.Complete(t.Context(), keys)
	if err != nil {
		t.Fatalf("Complete(%v): %v", keys, err)
	}
	return marked
}

func TestCompleteOnceAllIsThere(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	ping, pong := network("ping", port(1)), network("pong")
	apply(t, client, ping)

	if complete(t, client, ping, pong) {
		t.Error("complete without one of its networks")
	}
	if got := server.Get("NB_Global", ".", "nb_cfg"); got != "0" {
		t.Errorf("nb_cfg of an incomplete database: want 0, got %s", got)
	}

	apply(t, client, pong)
	before := server.Commits()
	for range 2 {
		if !complete(t, client, ping, pong) {
			t.Error("incomplete with all of its networks")
		}
	}
	if got := server.Get("NB_Global", ".", "nb_cfg"); got != "1" {
		t.Errorf("nb_cfg of a complete database: want 1, got %s", got)
	}
	if got := server.Commits() - before; got != 1 {
		t.Errorf("commits of two calls: want 1, got %d", got)
	}
}

func TestCompleteKeepsWhatOthersCount(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	server.Ctl("set", "NB_Global", ".", "nb_cfg=7")

	if !complete(t, dial(t, server)) {
		t.Error("incomplete though marked")
	}
	if got := server.Get("NB_Global", ".", "nb_cfg"); got != "7" {
		t.Errorf("nb_cfg: want 7, got %s", got)
	}
}

func TestWipedDatabaseIsNotComplete(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	ping := network("ping", port(1))
	apply(t, client, ping)
	complete(t, client, ping)

	server.Wipe()

	if complete(t, client, ping) {
		t.Error("an emptied database is complete")
	}
	apply(t, client, ping)
	if !complete(t, client, ping) {
		t.Error("incomplete after it was filled again")
	}
}

// Nobody has made the global row yet: no northd, no command-line tool.
func TestCompleteMakesTheGlobalRow(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	ping := network("ping")
	apply(t, client, ping)
	remove := `["OVN_Northbound", {"op": "delete", "table": "NB_Global", "where": []}]`
	if out, err := exec.CommandContext(t.Context(), "ovsdb-client", "transact", server.Endpoint(), remove).CombinedOutput(); err != nil {
		t.Fatalf("remove the global row: %v: %s", err, out)
	}

	for range 2 {
		if !complete(t, client, ping) {
			t.Error("incomplete with all of its networks")
		}
	}
	if got := server.Get("NB_Global", ".", "nb_cfg"); got != "1" {
		t.Errorf("nb_cfg: want 1, got %s", got)
	}
}
