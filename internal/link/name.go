package link

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// ErrName says that the kernel has no interface of such a name.
var ErrName = errors.New("no interface can have this name")

// CheckName returns an ErrName that says why, where an interface can't have the
// name: dev_valid_name() of the kernel's net/core/dev.c refuses it, a percent
// sign would be replaced by a number (dev_alloc_name), and all and default
// are what sysctl calls the settings of no interface in particular.
func CheckName(name string) error {
	switch {
	case name == "" || name == "." || name == ".." || name == "all" || name == "default":
		return fmt.Errorf("interface %q: %w: it is reserved", name, ErrName)
	case len(name) >= unix.IFNAMSIZ:
		return fmt.Errorf("interface %.20q: %w: it has %d bytes, and may have %d", name, ErrName, len(name), unix.IFNAMSIZ-1)
	case strings.ContainsAny(name, "/:%") || strings.ContainsFunc(name, unicode.IsSpace):
		return fmt.Errorf("interface %q: %w: it may not hold a slash, a colon, a percent sign or white space", name, ErrName)
	}
	return nil
}
