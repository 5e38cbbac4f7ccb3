package ovn

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"l2sm.io/l2sm/ovn/ovntest"
)

// What was decided by one database is not done to another that a relay shows by
// the same connection, nor to one that another controller has registered nodes in.
func TestRegisterWritesToWhatItRead(t *testing.T) {
	for name, happens := range map[string]func(*ovntest.Server){
		"Wiped": func(s *ovntest.Server) {
			s.Ctl("destroy", "SB_Global", ".")
			s.Ctl("--", "init")
			s.Ctl("set", "SB_Global", ".", "nb_cfg=1")
		},
		"NotFilledAnyMore":      func(s *ovntest.Server) { s.Ctl("set", "SB_Global", ".", "nb_cfg=0") },
		"RegisteredByAnother":   func(s *ovntest.Server) { s.Ctl("set", "SB_Global", ".", "external_ids:"+registeredKey+"=true") },
		"NodeIsThereMeanwhile":  func(s *ovntest.Server) { s.Ctl("chassis-add", "node-a", "geneve", "192.0.2.77") },
		"AddressTakenMeanwhile": func(s *ovntest.Server) { s.Ctl("chassis-add", "foreign", "geneve", "192.0.2.1") },
	} {
		t.Run(name, func(t *testing.T) {
			server := ovntest.NewSouthbound(t)
			server.Ctl("set", "SB_Global", ".", "nb_cfg=1")
			client, err := DialSouthbound(t.Context(), Config{Endpoints: []string{server.Endpoint()}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			session, err := client.conn.wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			global := *unregistered(session)
			seen, err := look(t.Context(), session)
			if err != nil {
				t.Fatal(err)
			}
			happens(server)
			nodes := []Registration{{Chassis: "node-a", Address: netip.MustParseAddr("192.0.2.1")}}
			if _, err := write(t.Context(), session, &global, seen, nodes); !errors.Is(err, errConflict) {
				t.Errorf("got error %v, want a conflict", err)
			}
			if got := server.Ctl("--bare", "--columns=other_config", "list", "Chassis"); strings.Contains(got, ChassisMark) {
				t.Errorf("the node is registered: %s", got)
			}
		})
	}
}
