package ovn_test

import (
	"strings"
	"testing"

	"l2sm.io/l2sm/ovn/ovntest"
)

// What others look for on our switches is written, and written again where it was
// lost; whatever else they noted there stays.
func TestMarks(t *testing.T) {
	server := ovntest.NewNorthbound(t)
	client := dial(t, server)
	n := network("net", port(1))
	n.Marks = map[string]string{"example.com/network": "ours"}
	has := func() bool {
		return strings.Contains(server.Get("Logical_Switch", n.Switch(), "external_ids"), `"example.com/network"=ours`)
	}
	apply(t, client, n)
	if !has() {
		t.Error("a new switch carries the mark")
	}
	server.Ctl("remove", "Logical_Switch", n.Switch(), "external_ids", `"example.com/network"`, "--", "set", "Logical_Switch", n.Switch(), "external_ids:theirs=1")
	apply(t, client, n)
	if !has() || server.Get("Logical_Switch", n.Switch(), "external_ids:theirs") != `"1"` {
		t.Errorf("external_ids are %s", server.Get("Logical_Switch", n.Switch(), "external_ids"))
	}
	if again := apply(t, client, n); again.Committed {
		t.Error("what is marked costs nothing")
	}
}
