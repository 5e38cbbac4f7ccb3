package traffic_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"l2sm.io/l2sm/e2e/traffic"
)

var start = time.UnixMicro(1795561587000000)

// line is a line of ping -D, sent so many milliseconds after start: answered
// after a number of milliseconds, or not when it is negative.
func line(seq, sent int, trip int) string {
	if trip < 0 {
		return fmt.Sprintf("[%.6f] no answer yet for icmp_seq=%d", unix(sent+10), seq)
	}
	return fmt.Sprintf("[%.6f] 64 bytes from 10.9.0.2: icmp_seq=%d ttl=64 time=%d ms", unix(sent+trip), seq, trip)
}

func unix(ms int) float64 {
	return float64(start.Add(time.Duration(ms)*time.Millisecond).UnixMicro()) / 1e6
}

func TestPings(t *testing.T) {
	for name, tc := range map[string]struct {
		reason          string
		lines           []string
		sent, lost, gap int
	}{
		"all answered": {
			reason: "slow sending is no loss",
			lines:  []string{line(1, 0, 1), line(2, 10, 1), line(3, 500, 1)},
			sent:   3,
		},
		"one lost": {
			reason: "a lost frame leaves its neighbours two intervals apart",
			lines:  []string{line(1, 0, 1), line(2, 10, -1), line(3, 20, 1)},
			sent:   3, lost: 1, gap: 20,
		},
		"two gaps": {
			reason: "the longest counts",
			lines:  []string{line(1, 0, 1), line(2, 10, -1), line(3, 20, 1), line(4, 30, -1), line(5, 40, -1), line(6, 50, 1)},
			sent:   6, lost: 3, gap: 30,
		},
		"slow but in time": {
			reason: "ping says that there is no answer yet before there is one",
			lines:  []string{line(1, 0, 1), line(2, 10, -1), line(2, 10, 50), line(3, 20, 1)},
			sent:   3,
		},
		"late": {
			reason: "an answer after 100 ms is as good as none",
			lines:  []string{line(1, 0, 1), line(2, 10, -1), line(3, 20, 1), line(2, 10, 101)},
			sent:   3, lost: 1, gap: 20,
		},
		"never again": {
			reason: "what is lost at the end counts to the end",
			lines:  []string{line(1, 0, 1), line(2, 10, -1), line(3, 20, -1), line(4, 30, -1)},
			sent:   4, lost: 3, gap: 30,
		},
		"rubbish between": {
			reason: "ping prints errors and statistics too",
			lines:  []string{"PING 10.9.0.2 (10.9.0.2) 56(84) bytes of data.", line(1, 0, 1), "[1.0] From 10.9.0.1 icmp_seq=9 Destination Host Unreachable", "2 packets transmitted"},
			sent:   1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := traffic.ReadPings(strings.Join(tc.lines, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != tc.sent || got.Lost() != tc.lost || got.Gap().Round(time.Millisecond) != time.Duration(tc.gap)*time.Millisecond {
				t.Errorf("%s: got %d sent, %d lost, gap %s; want %d, %d, %d ms", tc.reason, len(got), got.Lost(), got.Gap(), tc.sent, tc.lost, tc.gap)
			}
		})
	}
}

func TestPingsBetween(t *testing.T) {
	all, err := traffic.ReadPings(strings.Join([]string{line(1, 0, 1), line(2, 10, -1), line(3, 20, 1), line(4, 30, 1)}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	late := all.Between(start.Add(15*time.Millisecond), start.Add(time.Second))
	if len(late) != 2 || late.Lost() != 0 {
		t.Errorf("got %d pings with %d lost, want the last two", len(late), late.Lost())
	}
}

func TestNoPings(t *testing.T) {
	if _, err := traffic.ReadPings("ping: connect: Network is unreachable\n"); err == nil {
		t.Error("a stream that never began was read without an error")
	}
}

func TestTransfer(t *testing.T) {
	got, err := traffic.ReadTransfer(`Accepted connection from 10.9.0.1, port 52028
[  5] local 10.9.0.2 port 5201 connected to 10.9.0.1 port 52034
[ ID] Interval           Transfer     Bitrate
[  5]   0.00-0.10   sec   124 KBytes  10.1 Mbits/sec                  
[  5]   0.10-0.20   sec  0.00 Bytes  0.00 bits/sec                  
[  5]   0.20-0.35   sec  0.00 Bytes  0.00 bits/sec                  
[  5]   0.35-0.40   sec   124 KBytes  10.1 Mbits/sec                  
[  5]   0.40-0.50   sec  0.00 Bytes  0.00 bits/sec                  
iperf3: the client has terminated
[  5]   0.00-0.50   sec   248 KBytes  10.3 Mbits/sec                  receiver
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 5 || got.Bytes() != 248<<10 || got.Stall() != 250*time.Millisecond {
		t.Errorf("got %d reports, %.0f bytes, stall %s; want 5, %d, 250ms", len(got), got.Bytes(), got.Stall(), 248<<10)
	}
	if _, err := traffic.ReadTransfer("iperf3: error - unable to connect to server\n"); err == nil {
		t.Error("a transfer that never began was read without an error")
	}
}
