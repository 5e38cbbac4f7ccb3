package ipam

import (
	"fmt"
	"net/netip"
	"strings"
)

// AddressTakenError says that an address that was asked for has an owner.
type AddressTakenError struct {
	Addr  netip.Addr
	Owner string
}

func (e *AddressTakenError) Error() string {
	return fmt.Sprintf("address %s is taken by %q", e.Addr, e.Owner)
}

// MACTakenError says that a MAC address that was asked for has an owner.
type MACTakenError struct {
	MAC   MAC
	Owner string
}

func (e *MACTakenError) Error() string {
	return fmt.Sprintf("MAC address %s is taken by %q", e.MAC, e.Owner)
}

// OutOfRangeError says that an address that was asked for is none that the
// network can grant.
type OutOfRangeError struct {
	Addr netip.Addr
	// Why completes the sentence that the address begins.
	Why string
}

func (e *OutOfRangeError) Error() string { return fmt.Sprintf("address %s %s", e.Addr, e.Why) }

// RequestError says that a request can't be granted by any network of this
// shape, whatever is free.
type RequestError struct{ Why string }

func (e *RequestError) Error() string { return e.Why }

// ExhaustedError says that a subnet has no address left to assign.
type ExhaustedError struct{ Subnet netip.Prefix }

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("no address is left to assign in subnet %s", e.Subnet)
}

// StrandedError says whose addresses a change of ranges or exclusions would
// leave outside.
type StrandedError struct{ Holders []string }

func (e *StrandedError) Error() string {
	return "the change would strand addresses in use: " + strings.Join(e.Holders, ", ")
}
