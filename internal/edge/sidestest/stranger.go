package sidestest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"l2sm.io/l2sm/internal/link/nstest"
)

// Stranger is a machine on the wide area network that is no edge of any side.
type Stranger struct {
	Addr  netip.Addr
	NetNS string
	world *World
}

// Stranger makes one.
func (w *World) Stranger() *Stranger {
	w.t.Helper()
	s := &Stranger{NetNS: nstest.NewNS(w.t), world: w}
	member := w.WAN.Join(s.NetNS, "eth0")
	member.Own()
	s.Addr = member.Addr
	return s
}

// SendVXLAN sends frames to an edge with a VXLAN network identifier, as a VTEP does (RFC
// 7348).
func (s *Stranger) SendVXLAN(to netip.Addr, vni uint32, frames ...[]byte) {
	t := s.world.t
	t.Helper()
	nstest.Do(t, s.NetNS, func() error {
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 4789)))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		header := binary.BigEndian.AppendUint32([]byte{8, 0, 0, 0}, vni<<8)
		for _, frame := range frames {
			if _, err := conn.Write(append(header, frame...)); err != nil {
				return fmt.Errorf("send to %s: %w", to, err)
			}
		}
		return nil
	})
}
