package ipam

import (
	"fmt"
	"net/netip"
	"slices"
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
type StrandedError struct {
	// Holders are the first five by name, each with its address.
	Holders []string
	// Count is how many there are.
	Count int
}

func (e *StrandedError) Error() string {
	text := "the change would strand addresses in use: " + strings.Join(e.Holders, ", ")
	if more := e.Count - len(e.Holders); more > 0 {
		return fmt.Sprintf("%s and %d more", text, more)
	}
	return text
}

// add counts one, and keeps it if it is among the first.
func (e *StrandedError) add(owner string, addr netip.Addr) {
	const named = 5
	e.Count++
	holder := fmt.Sprintf("%s (%s)", owner, addr)
	i, _ := slices.BinarySearch(e.Holders, holder)
	if i == named {
		return
	}
	e.Holders = slices.Insert(e.Holders, i, holder)
	e.Holders = e.Holders[:min(len(e.Holders), named)]
}
