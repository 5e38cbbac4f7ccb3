package sidestest

import (
	"io"
	"net"
	"time"

	"l2sm.io/l2sm/internal/link/nstest"
)

// Throughput is how many bits a second one TCP connection carries from the pod to another,
// over so long a time.
func (p *Pod) Throughput(to *Pod, over time.Duration) float64 {
	t := p.Node.Side.world.t
	t.Helper()
	var listener net.Listener
	nstest.Do(t, to.NetNS, func() (err error) {
		listener, err = net.Listen("tcp", net.JoinHostPort(to.Addresses[0].String(), "0"))
		return err
	})
	defer func() { _ = listener.Close() }()
	received := make(chan int64, 1)
	go func() {
		n := int64(0)
		if conn, err := listener.Accept(); err == nil {
			n, _ = io.Copy(io.Discard, conn) // what arrived counts, however it ended
			_ = conn.Close()
		}
		received <- n
	}()
	var conn net.Conn
	nstest.Do(t, p.NetNS, func() (err error) {
		conn, err = net.DialTimeout("tcp", listener.Addr().String(), patience)
		return err
	})
	began := time.Now()
	if err := conn.SetDeadline(began.Add(over)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	for {
		if _, err := conn.Write(buf); err != nil {
			break // its time is over
		}
	}
	_ = conn.Close()
	n := <-received
	return float64(n) * 8 / time.Since(began).Seconds()
}
