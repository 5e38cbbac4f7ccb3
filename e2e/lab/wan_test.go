package lab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWANLinks(t *testing.T) {
	p, err := newPlan("dev", 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []wanLink{
		{Network: "east-wan", Node: "n2", Port: "c2-n2", Address: "10.252.0.22", MAC: "02:00:0a:fc:00:16"},
		{Network: "east-wan", Node: "n3", Port: "c2-n3", Address: "10.252.0.21", MAC: "02:00:0a:fc:00:15"},
	}
	got := wanLinks("east-wan", 2, p.Nodes, 2)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the last two nodes of the second cluster (-want +got):\n%s", diff)
	}
	if all := wanLinks("east-wan", 1, p.Nodes, mostEdges); len(all) != 3 {
		t.Errorf("%d links of three nodes", len(all))
	}
	const plug = "link add c2-n2 mtu 1500 up master wan type veth peer name eth2 address 02:00:0a:fc:00:16 mtu 1500 netns dev-n2\n"
	if diff := cmp.Diff(plug, got[0].plugScript("dev-n2")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("link set eth2 up\naddr add 10.252.0.22/24 dev eth2\n", got[0].nodeScript()); diff != "" {
		t.Error(diff)
	}
}

// No two edges of one network have the same address, however many there are.
func TestWANAddressesDiffer(t *testing.T) {
	p, err := newPlan("dev", maxNodes)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{}
	for nth := 1; nth <= mostOnWAN; nth++ {
		for _, l := range wanLinks("x-wan", nth, p.Nodes, mostEdges) {
			for _, what := range []string{l.Address, l.MAC, l.Port} {
				if of[what] != "" {
					t.Errorf("%s is %s's and %s's", what, of[what], l.Port)
				}
				of[what] = l.Port
			}
			if len(l.Port) > 15 {
				t.Errorf("Linux takes no interface name as long as %s", l.Port)
			}
		}
	}
}

func TestConnectWANRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		labs  []string
		edges int
		want  string
	}{
		"Alone":   {[]string{"a"}, 1, "want 2 to 9"},
		"TooMany": {strings.Split("a b c d e f g h i j", " "), 1, "want 2 to 9"},
		"NoEdges": {[]string{"a", "b"}, 0, "want 1 to 8"},
		"Twice":   {[]string{"wan-a", "wan-a"}, 1, `"wan-a" is named twice`},
		"NotUp":   {[]string{"wan-a", "wan-b"}, 1, "bring it up"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ConnectWAN(Cache(t.TempDir()), tc.labs, tc.edges); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
