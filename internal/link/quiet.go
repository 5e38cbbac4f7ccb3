package link

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// silenceIPv6 keeps the kernel from speaking IPv6 on a link by itself.
func (l *Links) silenceIPv6(name string) error {
	if err := l.setDisableIPv6(name, true); err != nil && !l.lacksIPv6() {
		return err
	}
	return nil
}

// skipDAD has the kernel use addresses that it makes itself, link-local ones, at
// once: they come of the MAC, which the controller gives to one attachment of a
// network only.
func (l *Links) skipDAD(name string) error {
	if err := l.setIPv6(name, "accept_dad", "0"); err != nil && !l.lacksIPv6() {
		return err
	}
	return nil
}

// Speak gives an interface that was made Quiet its addresses, and IPv6 what the
// pod's other interfaces have of it. It may be repeated. An interface or
// namespace that does not exist gives an error that matches os.ErrNotExist.
func (l *Links) Speak(netns string, want Interface) error {
	return inNamespace(netns, func() error {
		off, err := os.ReadFile(filepath.Join(l.sysctls, "net/ipv6/conf/default/disable_ipv6"))
		if err == nil {
			err = l.setDisableIPv6(want.Name, strings.TrimSpace(string(off)) == "1")
		}
		if err != nil && !l.lacksIPv6() {
			return err
		}
		return l.addMissing(want)
	})
}

// AddAddresses gives an interface those addresses that it has not. Errors are
// Speak's.
func (l *Links) AddAddresses(netns string, want Interface) error {
	return inNamespace(netns, func() error { return l.addMissing(want) })
}

func (l *Links) addMissing(want Interface) error {
	inner, err := byName(want.Name)
	if err != nil {
		return err
	}
	has, err := addressesOf(inner)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(want.Addresses), func(p netip.Prefix) bool { return slices.Contains(has, p) })
	return l.addAddresses(inner, missing)
}
