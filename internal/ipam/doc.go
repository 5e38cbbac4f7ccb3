// Package ipam hands out the MAC and IP addresses of one network.
//
// It is pure: a Pool knows nothing of the Kubernetes API, does no I/O and holds
// no lock. The durable record of an allocation is the L2Attachment; a Pool is
// rebuilt from them by Hold.
//
// A subnet's free addresses are a set of intervals, not of addresses, so that a
// /8 or a /64 costs no more than a /24 and every call is O(log n) in the number
// of gaps. A network of a few pods has no such set: its leases are a short list.
package ipam
