package ovn_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// learn has OVN have learned so many MAC addresses of a port.
func learn(s *ovntest.Server, port, count int) { learnAt(s, 7, port, count) }

func learnAt(s *ovntest.Server, datapath, port, count int) {
	var args []string
	for i := range count {
		args = append(args, "--", "create", "FDB", fmt.Sprintf("dp_key=%d", datapath), fmt.Sprintf("port_key=%d", port), fmt.Sprintf(`mac="02:00:00:%02x:%02x:%02x"`, port, i/256, i%256))
	}
	s.Ctl(args[1:]...)
}

func learnedOf(s *ovntest.Server, port int) int {
	return strings.Count(s.Ctl("--bare", "--columns=mac", "find", "FDB", fmt.Sprintf("port_key=%d", port)), ":") / 5
}

// What was learned of a port that exceeds the limit is deleted, whether before a
// connection or after it, and of others it stays.
func TestUnlearn(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	server.Ctl("--id=@d", "create", "Datapath_Binding", "tunnel_key=7",
		"--", "create", "Port_Binding", "datapath=@d", "logical_port=l2sm/default/calm", "tunnel_key=1",
		"--", "create", "Port_Binding", "datapath=@d", "logical_port=l2sm/default/early", "tunnel_key=2",
		"--", "create", "Port_Binding", "datapath=@d", "logical_port=l2sm/default/late", "tunnel_key=3")
	learn(server, 1, ovn.MaxLearned)
	learn(server, 2, ovn.MaxLearned+1)
	sb := dialSouthbound(t, server)
	unlearned := func() []string {
		t.Helper()
		NewWithT(t).Eventually(sb.Floods(), patience, time.Millisecond).Should(Receive())
		names, err := sb.Unlearn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return names
	}

	if diff := cmp.Diff([]string{"l2sm/default/early"}, unlearned()); diff != "" {
		t.Errorf("before the connection (-want +got):\n%s", diff)
	}
	learn(server, 3, ovn.MaxLearned+50)
	learn(server, 4, ovn.MaxLearned+50) // of no port that there is
	var late []string
	NewWithT(t).Eventually(func() []string { late = append(late, unlearned()...); return late }, patience).Should(Equal([]string{"l2sm/default/late"}))
	for port, want := range map[int]int{1: ovn.MaxLearned, 2: 0, 3: 0} {
		if got := learnedOf(server, port); got != want {
			t.Errorf("of port %d %d addresses are left, want %d", port, got, want)
		}
	}
	NewWithT(t).Eventually(func() int { _, _ = sb.Unlearn(context.Background()); return learnedOf(server, 4) }, patience).Should(BeZero())
}

// A zone's database has others' switches too: what is learned of these is theirs to see
// to, and wakes nobody.
func TestUnlearnInAZone(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	server.Ctl("--id=@d", "create", "Datapath_Binding", "tunnel_key=7", "external_ids:name=l2sm/default/net",
		"--", "--id=@e", "create", "Datapath_Binding", "tunnel_key=8", "external_ids:name=theirs",
		"--", "create", "Port_Binding", "datapath=@d", "logical_port=l2sm/default/calm", "tunnel_key=1",
		"--", "create", "Port_Binding", "datapath=@d", "logical_port=l2sm/default/early", "tunnel_key=2",
		"--", "create", "Port_Binding", "datapath=@d", "logical_port=l2sm/default/late", "tunnel_key=3",
		"--", "create", "Port_Binding", "datapath=@e", "logical_port=theirs", "tunnel_key=5")
	learn(server, 1, ovn.MaxLearned)
	learn(server, 2, ovn.MaxLearned+1)
	learnAt(server, 8, 5, ovn.MaxLearned+1)
	z := dialZone(t, server)
	quiet(z)
	learn(server, 3, ovn.MaxLearned+1)
	var names []string
	NewWithT(t).Eventually(func() []string {
		more, err := z.Unlearn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, more...)
		return names
	}, patience, "5ms").Should(Equal([]string{"l2sm/default/early", "l2sm/default/late"}))
	for port, want := range map[int]int{1: ovn.MaxLearned, 2: 0, 3: 0, 5: ovn.MaxLearned + 1} {
		if got := learnedOf(server, port); got != want {
			t.Errorf("of port %d %d addresses are left, want %d", port, got, want)
		}
	}
	select {
	case <-z.Changes():
		t.Error("learned addresses have all chassis and keys looked at")
	default:
	}
}
