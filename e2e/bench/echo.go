package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/e2e/lab"
)

// podNetns is the network namespace of a running pod, found from this machine,
// which sees the processes of all nodes.
func podNetns(ctx context.Context, l *lab.Lab, namespace, pod string) (ns.NetNS, error) {
	out, err := l.Kubectl(ctx, "-n", namespace, "exec", pod, "--", "readlink", "/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == strings.TrimSpace(out) {
			return ns.GetNS(link)
		}
	}
	return nil, fmt.Errorf("no process of this machine is in network namespace %s of pod %q", strings.TrimSpace(out), pod)
}

// listen opens a socket for ICMP on one interface of a pod, and on an address
// that it has: a socket that is bound to an interface alone would speak before
// that has an address, from another's. It fails with unix.ENODEV as long as the
// interface is not there, and with unix.EADDRNOTAVAIL as long as the address is
// not.
func listen(pod ns.NetNS, iface string, address netip.Addr) (net.PacketConn, error) {
	var conn net.PacketConn
	err := pod.Do(func(ns.NetNS) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
		if err != nil {
			return err
		}
		file := os.NewFile(uintptr(fd), "icmp")
		defer file.Close()
		if err := unix.BindToDevice(fd, iface); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: address.As4()}); err != nil {
			return err
		}
		conn, err = net.FilePacketConn(file)
		return err
	})
	return conn, err
}

// stream is a row of echo requests, one an interval, and when each was answered
// (RFC 792).
type stream struct {
	conn net.PacketConn
	to   netip.Addr

	mu       sync.Mutex
	sent     []time.Time
	answered []time.Time // by sequence number; zero for none
}

// run sends until ctx ends, and reads until the last answer had time to come.
func (s *stream) run(ctx context.Context, interval time.Duration) error {
	done := make(chan struct{})
	go func() { defer close(done); s.read() }()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			time.Sleep(time.Second) // what is still under way
			err := s.conn.Close()
			<-done
			return err
		case <-ticker.C:
			if err := s.send(); err != nil && !errors.Is(err, unix.EHOSTUNREACH) && !errors.Is(err, unix.ENETDOWN) && !errors.Is(err, unix.ENETUNREACH) {
				return err
			}
		}
	}
}

func (s *stream) send() error {
	s.mu.Lock()
	seq := len(s.sent)
	s.sent, s.answered = append(s.sent, time.Now()), append(s.answered, time.Time{})
	s.mu.Unlock()
	message := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: seq >> 16 & 0xffff, Seq: seq & 0xffff, Data: []byte("l2sm-bench")}}
	packet, err := message.Marshal(nil)
	if err != nil {
		return err
	}
	_, err = s.conn.WriteTo(packet, &net.IPAddr{IP: s.to.AsSlice()})
	return err
}

func (s *stream) read() {
	const protocolICMP, header = 1, 20
	buffer := make([]byte, 1500)
	for {
		n, _, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		packet := buffer[:n]
		if n > header && packet[0]>>4 == 4 { // a raw socket reads the IPv4 header, too
			packet = packet[header:]
		}
		message, err := icmp.ParseMessage(protocolICMP, packet)
		if err != nil || message.Type != ipv4.ICMPTypeEchoReply {
			continue
		}
		if echo, ok := message.Body.(*icmp.Echo); ok {
			s.answer(echo.ID<<16 | echo.Seq)
		}
	}
}

func (s *stream) answer(seq int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq < len(s.answered) && s.answered[seq].IsZero() {
		s.answered[seq] = time.Now()
	}
}

// first is when the first answer came, zero for never.
func (s *stream) first() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.answered {
		if !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// lost counts the requests without an answer that were sent in a span of time,
// and gap is the longest time in it without any answer.
func (s *stream) lost(from, to time.Time) (lost int, gap time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := time.Time{}
	for i, at := range s.answered {
		inside := s.sent[i].After(from) && s.sent[i].Before(to)
		if inside && at.IsZero() {
			lost++
		}
		if at.IsZero() || s.sent[i].After(to) && last.After(to) {
			continue
		}
		if inside && !last.IsZero() {
			gap = max(gap, at.Sub(last))
		}
		last = at
	}
	return lost, gap
}

// answers are what became of the requests of some spans of time: how many, how
// many without an answer, and how long the others took, in ms.
type answers struct {
	sent, lost int
	trips      []float64
}

// tripsAfter looks at the requests of the spans that begin at those times.
func (s *stream) tripsAfter(at []time.Time) answers {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a answers
	for _, from := range at {
		for i, sent := range s.sent {
			if sent.Before(from.Add(stormSettles)) || sent.After(from.Add(stormSpan-stormSettles)) {
				continue
			}
			a.sent++
			if s.answered[i].IsZero() {
				a.lost++
				continue
			}
			a.trips = append(a.trips, ms(s.answered[i].Sub(sent)))
		}
	}
	return a
}
