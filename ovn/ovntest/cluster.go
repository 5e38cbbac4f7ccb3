package ovntest

import (
	"strings"
	"testing"

	"l2sm.io/l2sm/ovn/nb"
)

// NewNorthboundCluster starts servers that share one empty northbound database
// by raft, see ovsdb(7), and returns when they have a leader. A cluster's
// servers cannot be wiped, and count no commits.
func NewNorthboundCluster(t testing.TB, size int) []*Server {
	t.Helper()

	var servers []*Server
	first := "tcp:" + freeAddress(t)
	for i := range size {
		s := newServer(t, nb.SchemaJSON, "ovn-nbctl", nil)
		if i == 0 {
			run(t, "ovsdb-tool", "create-cluster", s.path("db"), s.path("schema"), first)
		} else {
			run(t, "ovsdb-tool", "join-cluster", s.path("db"), "OVN_Northbound", "tcp:"+freeAddress(t), first)
		}
		s.Start()
		run(t, "ovsdb-client", "wait", s.endpoint, "OVN_Northbound", "connected")
		servers = append(servers, s)
	}
	return servers
}

// IsLeader says whether the server leads its cluster.
func (s *Server) IsLeader() bool {
	s.t.Helper()
	return strings.Contains(s.Appctl("cluster/status", "OVN_Northbound"), "Role: leader")
}
