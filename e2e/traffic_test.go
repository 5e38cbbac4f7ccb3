//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"time"

	"l2sm.io/l2sm/e2e/traffic"
)

// settleTime is how long traffic goes on when all is done.
const settleTime = 1500 * time.Millisecond

// pair makes a network and two pods on it, ping on the first node given and
// pong on the second, which during lets talk.
func (s *scenario) pair(first, second string) {
	s.Helper()
	s.apply(network("net", "10.70.0.0/16", "fd70::/64"),
		pod{name: "ping", node: first, networks: static("net", "10.70.255.1", "fd70::ff:1")}.String(),
		pod{name: "pong", node: second, networks: static("net", "10.70.255.2", "fd70::ff:2")}.String())
	s.ready("ping", "pong")
}

// figures are what the traffic of a scenario saw.
type figures struct {
	before, pings []traffic.Pings // IPv4 and IPv6: before the action, and from its beginning on
	tcp           traffic.Transfer
	took          time.Duration
}

// during lets ping and pong talk, first while calm does what is no fault of the action,
// then while that runs, and returns what the traffic saw: a stream of pings, IPv4 and
// IPv6, and a TCP connection, which must live on.
func (s *scenario) during(calm, action func()) figures {
	s.Helper()
	for _, p := range []string{"ping", "pong"} {
		s.exec(p, "pkill -9 -x 'ping|iperf3' || true") // left by a part of the test that failed
	}
	streams := map[string]string{"4": "10.70.255.2", "6": "fd70::ff:2"}
	s.exec("pong", traffic.ServerCommand+" > /tmp/tcp 2>&1 & until ss -ltn | grep -q :5201; do sleep 0.05; done")
	s.exec("ping", traffic.ClientCommand(streams["4"])+" > /tmp/tcp 2>&1 & echo $! > /tmp/tcp.pid")
	for family, to := range streams {
		s.exec("ping", fmt.Sprintf("%s > /tmp/ping%s 2>&1 & echo $! > /tmp/ping%s.pid", traffic.PingCommand(to), family, family))
	}
	began := time.Now()
	calm()

	acted := time.Now()
	action()
	took := time.Since(acted)

	time.Sleep(settleTime)
	ended := time.Now()
	f := figures{took: took}
	if out, err := s.try("exec", "ping", "--", "sh", "-c", "kill -INT $(cat /tmp/tcp.pid)"); err != nil {
		s.Errorf("the TCP connection did not survive: %v: %s\n%s", err, out, s.exec("ping", "tail -n 3 /tmp/tcp"))
	}
	for family := range streams {
		s.exec("ping", fmt.Sprintf("kill -INT $(cat /tmp/ping%s.pid)", family))
		pings, err := traffic.ReadPings(s.written("ping", "/tmp/ping"+family, "packets transmitted"))
		if err != nil {
			s.Fatal(err)
		}
		f.before = append(f.before, pings.Between(began, acted))
		f.pings = append(f.pings, pings.Between(acted, ended))
	}
	out := s.written("pong", "/tmp/tcp", "receiver")
	tcp, err := traffic.ReadTransfer(out)
	if err != nil {
		s.Fatal(err)
	}
	if n := strings.Count(out, "connected to"); n != 1 {
		s.Errorf("want one TCP connection, got %d:\n%s", n, out)
	}
	f.tcp = tcp
	return f
}

// written is a file in a pod, with its last words. A process is no sign of its
// own end: in a pod without an init it stays as a zombie.
func (s *scenario) written(pod, file, last string) string {
	s.Helper()
	return s.exec(pod, fmt.Sprintf("for i in $(seq 100); do grep -q '%s' %s && break; sleep 0.05; done; cat %[2]s", last, file))
}

// loss is what was lost of some streams together.
func loss(streams []traffic.Pings) (lost, sent int, gap time.Duration) {
	for _, p := range streams {
		lost += p.Lost()
		sent += len(p)
		gap = max(gap, p.Gap())
	}
	return lost, sent, gap
}

// report prints the scenario's line, as docs/reliability.md has it.
func (s *scenario) report(killed, kept string, f figures) {
	s.Helper()
	lost, sent, gap := loss(f.pings)
	lostBefore, sentBefore, gapBefore := loss(f.before)
	s.Logf("reliability: %s | kept: %s | lost: %d of %d pings, longest gap %d ms, TCP stall %d ms (before: %d of %d, %d ms)",
		killed, kept, lost, sent, gap.Milliseconds(), f.tcp.Stall().Milliseconds(), lostBefore, sentBefore, gapBefore.Milliseconds())
	if sent < 100 {
		s.Errorf("%d pings are no stream", sent)
	}
}

// losesNothing does the action during traffic and asserts that the traffic
// went on as before, over the same ports. Other work on the machine stops the
// userspace datapath now and then for longer than that: a loss that the action
// causes is there in each of four tries. The time before it is compared with has pods that
// come and go: the userspace datapath on a busy machine drops frames at that, too.
func (s *scenario) losesNothing(action func()) figures {
	s.Helper()
	return s.losesNoMore(nil, action)
}

// losesNoMore is losesNothing for an action beside other work that disturbs the
// userspace datapath by itself: calm is what that work alone costs.
func (s *scenario) losesNoMore(calm []traffic.Pings, action func()) figures {
	s.Helper()
	const tries = 4
	for try := 1; ; try++ {
		before := s.wiring()
		f := s.during(s.stillServes, action)
		if err := sameLines(before, s.wiring()); err != nil {
			s.Errorf("the ports are not those from before: %v", err)
		}
		f.before = append(f.before, calm...)
		err := f.lostSomething()
		if err == nil {
			return f
		}
		if try == tries {
			s.Error(err)
			return f
		}
		s.Logf("try %d: %v", try, err)
	}
}

// lostSomething compares with the time before the action. A gap of less than
// 200 ms is no outage: so long a machine with two processors may keep a ping when programs
// start. Nor is one like those before.
func (f figures) lostSomething() error {
	lost, sent, gap := loss(f.pings)
	lostBefore, sentBefore, gapBefore := loss(f.before)
	if most := 2*sent*lostBefore/max(1, sentBefore) + sent/100; lost > most {
		return fmt.Errorf("%d of %d pings are lost; %d of %d were before, which allows for %d", lost, sent, lostBefore, sentBefore, most)
	}
	if most := max(2*traffic.Late, 2*gapBefore); gap > most {
		return fmt.Errorf("no ping was answered for %s, want at most %s", gap, most)
	}
	if stall := f.tcp.Stall(); stall > 500*time.Millisecond {
		return fmt.Errorf("TCP stalled for %s", stall)
	}
	return nil
}

// breaksFor does the action during traffic, which may stop for so long.
func (s *scenario) breaksFor(most time.Duration, action func()) figures {
	s.Helper()
	f := s.during(func() { time.Sleep(settleTime) }, action)
	if _, _, gap := loss(f.pings); gap > most {
		s.Errorf("no ping was answered for %s, want at most %s", gap, most)
	}
	return f
}

// stillServes asserts that l2sm works: a new pod on each of the pair's nodes
// attaches and talks to the old ones.
func (s *scenario) stillServes() {
	s.Helper()
	var pods, names []string
	for i, n := range strings.Fields(s.kubectl("get", "pod", "ping", "pong", "-o", "jsonpath={.items[*].spec.nodeName}")) {
		name := fmt.Sprintf("fresh-%d", i)
		names = append(names, name)
		pods = append(pods, pod{name: name, node: n, networks: "net"}.String())
	}
	s.apply(pods...)
	s.ready(names...)
	for _, name := range names {
		s.pingsAll(name, []string{"10.70.255.1", "fd70::ff:2"})
	}
	s.kubectl(append([]string{"delete", "pod"}, names...)...)
}
