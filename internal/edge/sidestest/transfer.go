package sidestest

import (
	"io"
	"net"
	"net/netip"
	"time"

	"l2sm.io/l2sm/internal/link/nstest"
)

// transferring is how long one measurement sends.
const transferring = 3 * time.Second

// Transfer sends by TCP to another pod for a while, and returns how much arrives, in
// Mbit/s.
func (p *Pod) Transfer(to *Pod) float64 {
	t := p.Node.Side.world.t
	t.Helper()
	var listener net.Listener
	nstest.Do(t, to.NetNS, func() (err error) {
		listener, err = net.Listen("tcp", netip.AddrPortFrom(to.V4(), 0).String())
		return err
	})
	defer func() { _ = listener.Close() }()
	arrived := make(chan float64, 1)
	go func() {
		in, err := listener.Accept()
		if err != nil {
			arrived <- 0
			return
		}
		began := time.Now()
		n, _ := io.Copy(io.Discard, in)
		arrived <- float64(n) * 8 / 1e6 / time.Since(began).Seconds()
	}()
	var out net.Conn
	nstest.Do(t, p.NetNS, func() (err error) {
		out, err = net.DialTimeout("tcp", listener.Addr().String(), patience)
		return err
	})
	buffer := make([]byte, 64<<10)
	for end := time.Now().Add(transferring); time.Now().Before(end); {
		if _, err := out.Write(buffer); err != nil {
			t.Fatalf("send to %s: %v", to.Port, err)
		}
	}
	_ = out.Close()
	return <-arrived
}
