//go:build integration

package zone_test

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/link/nstest"
)

// interval is between two pings of a stream.
const interval = 10 * time.Millisecond

// stream is a ping every interval until it is stopped.
type stream struct {
	t   testing.TB
	cmd *exec.Cmd
	out *bufio.Reader
}

// stream begins to ping, and returns when the first answer is there.
func (e *endpoint) stream(to netip.Addr) *stream {
	t := e.node.world.t
	t.Helper()
	s := &stream{t: t, cmd: exec.Command("ping", "-n", "-D", "-i", fmt.Sprint(interval.Seconds()), to.String())}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	nstest.Do(t, e.netns, s.cmd.Start)
	s.out = bufio.NewReader(out)
	for line := ""; !strings.Contains(line, "icmp_seq="); {
		if line, err = s.out.ReadString('\n'); err != nil {
			t.Fatalf("ping %s: %v", to, err)
		}
	}
	return s
}

// answered is a line of ping's: the time of an answer in seconds.
var answered = regexp.MustCompile(`^\[([0-9.]+)\] .*icmp_seq=`)

// sums are the last lines of ping's.
var sums = regexp.MustCompile(`([0-9]+) packets transmitted, ([0-9]+) received`)

// end stops the stream a second later, prints what it saw, and returns how many
// pings were not answered, and the longest time without an answer.
func (s *stream) end(what string) (lost int, outage time.Duration) {
	s.t.Helper()
	time.Sleep(time.Second)
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		s.t.Fatal(err)
	}
	var last float64
	for {
		line, err := s.out.ReadString('\n')
		if m := answered.FindStringSubmatch(line); m != nil {
			at, _ := strconv.ParseFloat(m[1], 64) // digits and points
			if last > 0 {
				outage = max(outage, time.Duration((at-last)*float64(time.Second)))
			}
			last = at
		}
		if m := sums.FindStringSubmatch(line); m != nil {
			sent, _ := strconv.Atoi(m[1])
			got, _ := strconv.Atoi(m[2])
			lost = sent - got
			fmt.Printf("%s: %d of %d pings lost, at most %s without an answer\n", what, lost, sent, outage.Round(time.Millisecond))
		}
		if err != nil {
			break
		}
	}
	_ = s.cmd.Wait() // its status says whether pings were lost
	return lost, outage
}
