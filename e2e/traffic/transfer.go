package traffic

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Commands of a TCP transfer without an end, at a rate that the userspace
// datapath of a small machine bears. Small blocks, so that the rate is even
// within the server's reports.
const (
	ServerCommand = "iperf3 -s -1 -i 0.1 --forceflush"
	clientCommand = "iperf3 -t 3600 -b 10M -l 4K -c "
)

// ClientCommand sends to a ServerCommand.
func ClientCommand(to string) string { return clientCommand + to }

// Report is what arrived in a tenth of a second.
type Report struct {
	From, To time.Duration // since the connection was made
	Bytes    float64
}

// Transfer is what arrived on one connection.
type Transfer []Report

var report = regexp.MustCompile(`^\[ *\d+\] +([0-9.]+)-([0-9.]+) +sec +([0-9.]+) ([KMG]?)Bytes .*/sec\s*$`)

var units = map[string]float64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

// ReadTransfer reads what ServerCommand printed.
func ReadTransfer(out string) (Transfer, error) {
	var t Transfer
	for line := range strings.Lines(out) {
		m := report.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var numbers [3]float64
		for i := range numbers {
			n, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				return nil, fmt.Errorf("read report %q: %w", line, err)
			}
			numbers[i] = n
		}
		t = append(t, Report{From: seconds(numbers[0]), To: seconds(numbers[1]), Bytes: numbers[2] * units[m[4]]})
	}
	if len(t) == 0 {
		return nil, fmt.Errorf("no report in %q", out)
	}
	return t, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Bytes is the sum.
func (t Transfer) Bytes() float64 {
	var sum float64
	for _, r := range t {
		sum += r.Bytes
	}
	return sum
}

// Stall is the longest time in which nothing arrived.
func (t Transfer) Stall() time.Duration {
	var longest, since time.Duration
	for _, r := range t {
		if r.Bytes > 0 {
			since = r.To
			continue
		}
		longest = max(longest, r.To-since)
	}
	return longest
}
