package ovn_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

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
	// The replica learns of it a moment later.
	NewWithT(t).Eventually(func() bool { apply(t, client, n); return has() }, patience, time.Millisecond).Should(BeTrue())
	if server.Get("Logical_Switch", n.Switch(), "external_ids:theirs") != `"1"` {
		t.Errorf("external_ids are %s", server.Get("Logical_Switch", n.Switch(), "external_ids"))
	}
	if again := apply(t, client, n); again.Committed {
		t.Error("what is marked costs nothing")
	}
}
