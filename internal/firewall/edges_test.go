//go:build integration

package firewall_test

import (
	"net"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/firewall"
	"l2sm.io/l2sm/internal/link/nstest"
)

// Addresses that edges have inside WireGuard.
var (
	nodeInside = []string{"fd6c:3273:6d65::c000:201/64"}
	edgeInside = []string{"fd6c:3273:6d65::c000:202/64"}
)

// TestEncryptedForEdgesOnly: by WireGuard a peer's cluster reaches the edge, and nothing else
// of the node or behind it. The link is none that encrypts; packets come in by its name.
func TestEncryptedForEdgesOnly(t *testing.T) {
	for _, name := range []string{"l2sm-wg", "br-edge-wg"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			edge := nstest.NewNS(t)
			s.join(name, nodeInside, edge, "eth0", edgeInside, nodeInside)
			node, other, pod := host(nodeInside[0]), host(edgeInside[0]), host(podOnCluster[1])
			cases := map[string]struct {
				network, from, to, address string
				port                       int
				always                     bool
			}{
				"VXLAN":                          {"udp", edge, "", node, firewall.VXLANPort, true},
				"BGP":                            {"tcp", edge, "", node, 179, true},
				"BGP of the node's":              {"tcp", "", edge, other, 179, true},
				"the kubelet":                    {"tcp", edge, "", node, 10250, false},
				"Geneve":                         {"udp", edge, "", node, firewall.GenevePort, false},
				"DNS":                            {"udp", edge, "", node, 53, false},
				"another address of the node's":  {"tcp", edge, "", host(nodeForPod[1]), 10250, false},
				"a pod":                          {"udp", edge, s.pod, pod, 8080, false},
				"BGP of a pod's":                 {"tcp", edge, s.pod, pod, 179, false},
				"from a pod to the peer's edge":  {"udp", s.pod, edge, other, firewall.VXLANPort, false},
				"a pod's BGP to the peer's edge": {"tcp", s.pod, edge, other, 179, false},
			}
			for what, tc := range cases {
				if !s.reaches(tc.network, tc.from, tc.to, tc.address, tc.port, true) {
					t.Errorf("without the table, %s is not reached", what)
				}
			}
			keep(t, "under")
			for what, tc := range cases {
				if got := s.reaches(tc.network, tc.from, tc.to, tc.address, tc.port, tc.always); got != tc.always {
					t.Errorf("%s is reached: %v, want %v", what, got, tc.always)
				}
			}
		})
	}
}

// reaches says whether a connection, or a packet, from one namespace arrives at the port in
// the other. It waits for what it expects.
func (s *site) reaches(network, from, to, address string, port int, expected bool) bool {
	s.t.Helper()
	within := 200 * time.Millisecond
	if expected {
		within = patience
	}
	if network == "udp" {
		c := s.listen(to, address, port)
		defer c.Close()
		s.send(from, address, port)
		_ = c.SetReadDeadline(time.Now().Add(within))
		_, _, err := c.ReadFrom(make([]byte, 100))
		return err == nil
	}
	at := net.TCPAddr{IP: net.ParseIP(address), Port: port}
	var listener net.Listener
	s.in(to, func() (err error) {
		listener, err = net.ListenTCP("tcp", &at)
		return err
	})
	defer listener.Close()
	reached := false
	s.in(from, func() error {
		c, err := net.DialTimeout("tcp", at.String(), within)
		if err == nil {
			reached = true
			return c.Close()
		}
		return nil
	})
	return reached
}
