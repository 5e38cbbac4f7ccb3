//go:build e2e

package clusters

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A README's functions, which all of its later commands may call.
var shellFunction = regexp.MustCompile(`(?m)^\w+\(\) .*\n`)

// What is between the clusters is encrypted, by the README's commands: an outsider sees
// WireGuard and nothing else. A change of keys costs a moment.
func TestEncrypted(t *testing.T) {
	east, west := newScenario(t)
	steps := encryptionSteps(t)
	t.Cleanup(func() { // the next scenario's edges have no keys of each other's
		for _, p := range []place{east, west} {
			_, _ = p.try("patch", "l2edge", "default", "--type=merge", "-p", `{"spec": {"encryption": "None"}}`)
		}
	})
	east.apply(east.networkOf(5106, 1370), pod("pod", "n1", asks("", "10.60.1.10", "fd60::1:10")))
	west.apply(west.networkOf(5106, 1370), pod("pod", "", asks("", "10.60.2.10", "fd60::2:10")))
	east.ready("pod")
	west.ready("pod")
	east.stretched()
	west.stretched()
	inTheOpen(t, east, west)

	began := time.Now()
	steps.run(t, "switch on", "tell the keys")
	meet(east, west)
	t.Logf("clusters: encrypted %.1f s after the first command", time.Since(began).Seconds())
	if seen := east.outsider(func() { talk(t, east, west) }); len(seen.matches("udp port 51830")) == 0 {
		t.Error("an outsider sees no WireGuard")
	} else {
		seen.nothingOf("(tcp or udp) and not udp port 51830") // VXLAN, BFD, BGP
		if seen.holds(secret) {
			t.Errorf("an outsider sees %q, which pods say to each other", secret)
		}
	}
	hears(t, east, "pod", west, "pod")
	hears(t, west, "pod", east, "pod")

	rotate(t, east, west, steps)

	steps.run(t, "switch off")
	meet(east, west)
	inTheOpen(t, east, west)
	hears(t, west, "pod", east, "pod")
}

// steps are the README's commands, by what they do.
type steps struct {
	functions string
	commands  map[string]string
}

func encryptionSteps(t *testing.T) steps {
	t.Helper()
	s := steps{commands: map[string]string{}}
	names := []string{"switch on", "tell the keys", "rotate", "tell the next key", "switch off"}
	for _, part := range readme(t, "two-clusters") {
		for _, block := range part.blocks {
			s.functions += strings.Join(shellFunction.FindAllString(block, -1), "")
		}
		if part.heading != encryption {
			continue
		}
		if len(part.blocks) != len(names) {
			t.Fatalf("%d blocks of commands below %q, want %d: %s", len(part.blocks), encryption, len(names), strings.Join(names, ", "))
		}
		for i, block := range part.blocks {
			s.commands[names[i]] = block
		}
	}
	if len(s.commands) == 0 {
		t.Fatalf("README of two-clusters has no heading %q", encryption)
	}
	return s
}

func (s steps) run(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		shell(t, s.functions+s.commands[name])
	}
}

// rotate changes the keys of the east while pods talk, and prints what that costs.
func rotate(t *testing.T, east, west place, s steps) {
	t.Helper()
	had := east.keys()
	if len(had) != 2 {
		t.Fatalf("the edge of the east has public keys %q, want the one in use and the next", had)
	}
	west.stream("pod", "10.60.1.10")
	began := time.Now()
	time.Sleep(time.Second)
	turned := time.Now()
	s.run(t, "rotate")
	east.eventually(func() error {
		if has := east.keys(); len(has) != 2 || has[0] != had[1] || slices.Contains(had, has[1]) {
			return errStill("keys " + strings.Join(has, " ") + ": is keyGeneration 2 since an earlier run?")
		}
		return nil
	})
	s.run(t, "tell the next key")
	time.Sleep(4 * time.Second) // BFD misses the edge, and keys shake hands
	ended := time.Now()
	pings := west.streamed("pod")
	calm, after := pings.Between(began, turned), pings.Between(turned, ended)
	t.Logf("clusters: keys changed by one side | lost: %d of %d pings, longest gap %d ms (before: %d of %d, %d ms)",
		after.Lost(), len(after), after.Gap().Milliseconds(), calm.Lost(), len(calm), calm.Gap().Milliseconds())
	if last := pings.Between(ended.Add(-time.Second), ended); last.Lost() == len(last) {
		t.Errorf("none of the last %d pings is answered: what was encrypted with other keys does not go on", len(last))
	}
}

// keys are the public ones of the side's one edge: the one in use, and the next.
func (p place) keys() []string {
	p.Helper()
	return strings.Fields(p.kubectl("get", "l2edge", "default", "-o", "jsonpath={.status.nodes[*].publicKeys[*]}"))
}

// inTheOpen fails unless an outsider sees what pods say to each other: one that sees nothing
// would find everything encrypted.
func inTheOpen(t *testing.T, east, west place) {
	t.Helper()
	if seen := east.outsider(func() { talk(t, east, west) }); len(seen.matches("udp port 4789")) == 0 || !seen.holds(secret) {
		t.Errorf("an outsider does not see %q in frames that nothing encrypts", secret)
	}
}

// talk pings both ways, with what an outsider looks for.
func talk(t *testing.T, east, west place) {
	t.Helper()
	for to, p := range map[string]place{"10.60.2.10": east, "fd60::1:10": west} {
		out := p.exec("pod", "ping -c 5 -i 0.2 -p "+secretInHex+" "+to)
		if n := strings.Count(out, "ttl=64"); n != 5 || strings.Contains(out, "DUP!") {
			t.Errorf("from the %s to %s: want 5 answers with ttl=64, each once:\n%s", p.side, to, out)
		}
	}
}

// meet waits until the pods of both sides answer each other: sessions begin again when
// encryption changes.
func meet(east, west place) {
	for to, p := range map[string]place{"10.60.2.10": east, "10.60.1.10": west} {
		p.Helper()
		p.eventually(func() error {
			if out, err := p.try("exec", "pod", "--", "ping", "-c", "1", "-W", "1", to); err != nil {
				return errors.Join(err, errStill(out))
			}
			return nil
		})
	}
}
