//go:build integration

package link

import (
	"errors"
	"os"
	"slices"
	"testing"

	"l2sm.io/l2sm/internal/link/nstest"
)

// A quiet interface is up and says nothing, until Speak.
func TestQuiet(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	createQuiet(t, l, netns)
	if made, err := Made(netns, want); err != nil || !made {
		t.Errorf("a quiet interface is up: %t, %v", made, err)
	}
	if is, err := Inspect(netns, want.Name); err != nil || len(is.Addresses) > 0 || ipv6Off(t, netns) != "1\n" {
		t.Errorf("a quiet interface has addresses %v (error %v), and disable_ipv6 is %q", is.Addresses, err, ipv6Off(t, netns))
	}
	for _, again := range []string{"the first time", "again"} {
		if err := l.Speak(netns, want); err != nil {
			t.Fatalf("Speak, %s: %v", again, err)
		}
		is, err := Inspect(netns, want.Name)
		for _, a := range want.Addresses {
			if err != nil || !slices.Contains(is.Addresses, a) {
				t.Errorf("Speak, %s: the interface has %v (error %v), want %v", again, is.Addresses, err, want.Addresses)
			}
		}
		if off := ipv6Off(t, netns); off != "0\n" {
			t.Errorf("Speak, %s: disable_ipv6 is %q", again, off)
		}
	}
	for _, missing := range []error{l.Speak(netns, Interface{Name: "net9"}), l.AddAddresses(netns, Interface{Name: "net9"})} {
		if !errors.Is(missing, os.ErrNotExist) {
			t.Errorf("speaking through what is not there = %v, want os.ErrNotExist", missing)
		}
	}
}

// What gets no IPv6 address has of IPv6 what the pod's other interfaces have.
func TestSpeakFollowsThePod(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	for _, off := range []string{"0\n", "1\n"} {
		nstest.Do(t, netns, func() error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte(off), 0)
		})
		createQuiet(t, l, netns)
		if err := l.Speak(netns, Interface{Name: want.Name, Addresses: want.Addresses[:1]}); err != nil {
			t.Fatal(err)
		}
		if is := ipv6Off(t, netns); is != off {
			t.Errorf("disable_ipv6 is %q, and %q in the pod", is, off)
		}
		remove(t, l)
	}
}

func createQuiet(t *testing.T, l *Links, netns string) {
	t.Helper()
	quiet := want
	quiet.Quiet = true
	if err := l.Create(host, netns, quiet, Kernel); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, l) })
}

// ipv6Off is the interface's disable_ipv6.
func ipv6Off(t *testing.T, netns string) (off string) {
	t.Helper()
	nstest.Do(t, netns, func() error {
		text, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + want.Name + "/disable_ipv6")
		off = string(text)
		return err
	})
	return off
}
