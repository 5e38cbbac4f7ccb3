package ovn_test

import (
	"strings"
	"testing"

	"l2sm.io/l2sm/ovn/ovntest"
)

func TestTrust(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	server.Ctl("set", "NB_Global", ".", "external_ids:theirs=stays")
	client := dial(t, server)
	before := server.Commits()
	for _, want := range []string{"one\ntwo\n", "one\ntwo\n", "three\n"} {
		if err := client.Trust(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got := server.Get("NB_Global", ".", "external_ids:l2sm-node-trust")
		if got != `"`+strings.ReplaceAll(want, "\n", `\n`)+`"` {
			t.Errorf("the database trusts %s, want %q", got, want)
		}
	}
	if got := server.Commits() - before; got != 2 {
		t.Errorf("commits of three calls, of which one changes nothing: want 2, got %d", got)
	}
	if got := server.Get("NB_Global", ".", "external_ids:theirs"); got != "stays" {
		t.Errorf("another's key is %q, want it left alone", got)
	}

	server.Ctl("clear", "NB_Global", ".", "external_ids")
	server.Wipe()
	if err := client.Trust(t.Context(), "four"); err != nil {
		t.Fatal(err)
	}
	if got := server.Get("NB_Global", ".", "external_ids:l2sm-node-trust"); got != "four" {
		t.Errorf("a new database trusts %s, want four", got)
	}
}
