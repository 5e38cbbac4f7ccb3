//go:build e2e

package clusters

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// secret is what pods say to each other: ping repeats up to 16 bytes of a pattern.
const secret = "l2sm-in-the-open"

var secretInHex = hex.EncodeToString([]byte(secret))

// seen is what crossed the network between the clusters, in a file of tcpdump's.
type seen struct {
	t    *testing.T
	file string
}

// outsider captures there while something happens.
func (p place) outsider(while func()) seen {
	p.Helper()
	s := seen{t: p.T, file: filepath.Join(p.TempDir(), "seen.pcap")}
	cmd := exec.Command("ip", "netns", "exec", labs["east"]+"-wan", "tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root", "-i", "wan", "-w", s.file)
	says, err := cmd.StderrPipe()
	if err != nil {
		p.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.Fatalf("capture between the clusters: %v", err)
	}
	lines := bufio.NewScanner(says)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening on") {
		p.Log(lines.Text())
	}
	end := func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // it writes what it has
		for lines.Scan() {
		}
		if err := cmd.Wait(); err != nil {
			p.Errorf("capture between the clusters: %v", err)
		}
	}
	defer end()
	while()
	time.Sleep(200 * time.Millisecond) // for what the kernel holds for it
	return s
}

// matches are the captured packets that a filter of tcpdump's lets pass.
func (s seen) matches(filter string) []string {
	s.t.Helper()
	out, err := exec.Command("tcpdump", "-n", "-r", s.file, filter).Output()
	if err != nil {
		s.t.Fatalf("tcpdump -r %s %q: %v", s.file, filter, err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// nothingOf fails the test if a packet passes the filter.
func (s seen) nothingOf(filter string) {
	s.t.Helper()
	if all := s.matches(filter); len(all) > 0 {
		s.t.Errorf("an outsider sees %d packets of %q, such as %s", len(all), filter, all[0])
	}
}

// holds says whether the text crossed the network as it is.
func (s seen) holds(text string) bool {
	s.t.Helper()
	all, err := os.ReadFile(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	return bytes.Contains(all, []byte(text))
}
