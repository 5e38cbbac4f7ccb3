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
	// Count is how many addresses there are.
	Count int

	owners map[string]bool
}

// Leaves says that an owner has released what it had, and whether it was the
// last one that was in the way of the change.
func (e *StrandedError) Leaves(owner string) (last bool) {
	if !e.owners[owner] {
		return false
	}
	delete(e.owners, owner)
	return len(e.owners) == 0
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
	if e.owners == nil {
		e.owners = map[string]bool{}
	}
	e.owners[owner] = true
	holder := fmt.Sprintf("%s (%s)", owner, addr)
	i, _ := slices.BinarySearch(e.Holders, holder)
	if i == named {
		return
	}
	e.Holders = slices.Insert(e.Holders, i, holder)
	e.Holders = e.Holders[:min(len(e.Holders), named)]
}
