package sidestest

import (
	"bufio"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/link/nstest"
)

// Every is the time between two pings of a stream.
const Every = 10 * time.Millisecond

// Stream is pings from a pod, one every 10 ms.
type Stream struct {
	t    testing.TB
	cmd  *exec.Cmd
	read chan struct{} // closed when ping's output has ended

	mu      sync.Mutex
	arrived map[int]bool
	last    int           // the highest that arrived
	more    chan struct{} // closed when another arrives
}

// Lost is what became of a stream.
type Lost struct {
	// Sent and Lost are numbers of pings; of the last ones, which were under way when the
	// stream ended, nothing is counted.
	Sent, Lost int
	// Gap is the longest time between two that were answered.
	Gap time.Duration
}

func (l Lost) String() string {
	return fmt.Sprintf("%d of %d lost, longest gap %s", l.Lost, l.Sent, l.Gap)
}

// Stream pings until Stop. It returns when the first answer has arrived.
func (p *Pod) Stream(to netip.Addr) *Stream {
	t := p.Node.Side.world.t
	t.Helper()
	return StreamFrom(t, p.NetNS, to)
}

// StreamFrom is [Pod.Stream] from any network namespace.
func StreamFrom(t testing.TB, netns string, to netip.Addr) *Stream {
	t.Helper()
	s := &Stream{
		t: t, cmd: exec.Command("ping", "-n", "-i", fmt.Sprint(Every.Seconds()), to.String()),
		read: make(chan struct{}), arrived: map[int]bool{}, more: make(chan struct{}),
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	nstest.Do(t, netns, s.cmd.Start)
	t.Cleanup(s.end)
	go func() {
		defer close(s.read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			s.take(lines.Text())
		}
	}()
	if !s.wait(1, patience) {
		t.Fatalf("no answer from %s", to)
	}
	return s
}

// take reads one line of ping's.
func (s *Stream) take(line string) {
	_, rest, is := strings.Cut(line, "icmp_seq=")
	var n int
	if _, err := fmt.Sscanf(rest, "%d ttl=", &n); !is || err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived[n] = true
	if n > s.last {
		s.last = n
		close(s.more)
		s.more = make(chan struct{})
	}
}

// wait says whether the ping of that number, or a later one, is answered in time.
func (s *Stream) wait(n int, most time.Duration) bool {
	late := time.After(most)
	for {
		s.mu.Lock()
		last, more := s.last, s.more
		s.mu.Unlock()
		if last >= n {
			return true
		}
		select {
		case <-more:
		case <-s.read:
			return false
		case <-late:
			return false
		}
	}
}

// Stop ends the stream once some more pings are answered, or none is for two seconds.
func (s *Stream) Stop() Lost {
	s.t.Helper()
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if !s.wait(last+20, 2*time.Second) {
		s.t.Errorf("the stream's pings are not answered any more: the last was number %d", last)
	}
	s.end()
	lost := Lost{Sent: s.last}
	gap := 0
	for n, before := 1, 0; n <= s.last; n++ {
		if !s.arrived[n] {
			lost.Lost++
			continue
		}
		gap, before = max(gap, n-before), n
	}
	lost.Gap = time.Duration(gap) * Every
	return lost
}

func (s *Stream) end() {
	_ = s.cmd.Process.Kill() // fails when it has ended
	<-s.read
	_ = s.cmd.Wait() // it was killed
}
