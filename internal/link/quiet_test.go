//go:build integration

package link

import (
	"errors"
	"os"
	"slices"
	"testing"

	"l2sm.io/l2sm/internal/link/nstest"
)

// A quiet interface is up and says nothing, until it is let speak.
func TestQuiet(t *testing.T) {
	l, netns := New("/proc/sys"), nstest.NewNS(t)
	quiet := want
	quiet.Quiet = true
	if err := l.Create(host, netns, quiet, Kernel); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Delete(host.Name) })
	ipv6 := func() (off string) {
		nstest.Do(t, netns, func() error {
			text, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + want.Name + "/disable_ipv6")
			off = string(text)
			return err
		})
		return off
	}
	if made, err := Made(netns, want); err != nil || !made {
		t.Errorf("a quiet interface is up: %t, %v", made, err)
	}
	if is, err := Inspect(netns, want.Name); err != nil || len(is.Addresses) > 0 || ipv6() != "1\n" {
		t.Errorf("a quiet interface has addresses %v (error %v), and disable_ipv6 is %q", is.Addresses, err, ipv6())
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
		if ipv6() != "0\n" {
			t.Errorf("Speak, %s: disable_ipv6 is %q", again, ipv6())
		}
	}
	if err := l.Speak(netns, Interface{Name: "net9"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Speak of what is not there = %v, want os.ErrNotExist", err)
	}
}
