// Package traffic reads what ping and iperf3 print about a stream, and says
// what the stream lost. Scenarios run both between two pods while something is
// killed.
package traffic

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Interval is the time between two pings of a stream.
const Interval = 10 * time.Millisecond

// Late is how long an answer may take. What comes later is as good as lost.
const Late = 100 * time.Millisecond

// PingCommand is a stream of pings without an end, as Pings reads it.
func PingCommand(to string) string { return "ping -n -D -O -i 0.01 " + to }

// Ping is one echo request.
type Ping struct {
	Sent     time.Time
	Answered bool // in time
}

// Pings are the echo requests of one stream, in their order.
type Pings []Ping

// A line of ping -D: an answer, or that there is none yet when the next is
// sent. A late answer has both.
var (
	answer   = regexp.MustCompile(`^\[([0-9.]+)\] \d+ bytes from .* icmp_seq=(\d+) .*time=([0-9.]+) ms$`)
	noAnswer = regexp.MustCompile(`^\[([0-9.]+)\] no answer yet for icmp_seq=(\d+)$`)
)

// mostPings is how many fit into ICMP's sequence number of 16 bits.
const mostPings = 1<<16 - 1

// ReadPings reads what PingCommand printed.
func ReadPings(out string) (Pings, error) { return ReadSlowPings(out, Late) }

// ReadSlowPings is ReadPings for a machine on which an answer may take longer than Late.
func ReadSlowPings(out string, late time.Duration) (Pings, error) {
	pings := map[int]Ping{}
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if m := answer.FindStringSubmatch(line); m != nil {
			at, seq, err := atSeq(m)
			if err != nil {
				return nil, err
			}
			ms, err := strconv.ParseFloat(m[3], 64)
			if err != nil {
				return nil, fmt.Errorf("read round trip of %q: %w", line, err)
			}
			trip := time.Duration(ms * float64(time.Millisecond))
			pings[seq] = Ping{Sent: at.Add(-trip), Answered: trip <= late}
		}
		if m := noAnswer.FindStringSubmatch(line); m != nil {
			at, seq, err := atSeq(m)
			if err != nil {
				return nil, err
			}
			pings[seq] = Ping{Sent: at.Add(-Interval)}
		}
	}
	if len(pings) == 0 {
		return nil, fmt.Errorf("no ping in %q", out)
	}
	if len(pings) >= mostPings {
		return nil, fmt.Errorf("%d pings, whose sequence numbers repeat", len(pings))
	}
	var ordered Pings
	for _, p := range pings {
		ordered = append(ordered, p)
	}
	slices.SortFunc(ordered, func(a, b Ping) int { return a.Sent.Compare(b.Sent) })
	return ordered, nil
}

func atSeq(m []string) (time.Time, int, error) {
	seconds, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("read time of %q: %w", m[0], err)
	}
	seq, err := strconv.Atoi(m[2])
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("read sequence number of %q: %w", m[0], err)
	}
	return time.UnixMicro(int64(seconds * 1e6)), seq, nil
}

// Between are the pings that were sent in that time.
func (p Pings) Between(from, to time.Time) Pings {
	var some Pings
	for _, ping := range p {
		if !ping.Sent.Before(from) && !ping.Sent.After(to) {
			some = append(some, ping)
		}
	}
	return some
}

// Lost counts the pings that were not answered in time.
func (p Pings) Lost() int {
	lost := 0
	for _, ping := range p {
		if !ping.Answered {
			lost++
		}
	}
	return lost
}

// Gap is the longest time between two answered pings with a lost one between
// them: a single frame makes two intervals. What is lost at either end counts
// to that end. A sender that got no processor time makes none.
func (p Pings) Gap() time.Duration {
	var longest time.Duration
	for i := 0; i < len(p); i++ {
		if p[i].Answered {
			continue
		}
		first := i
		for i < len(p)-1 && !p[i].Answered {
			i++
		}
		longest = max(longest, p[i].Sent.Sub(p[max(0, first-1)].Sent))
	}
	return longest
}
