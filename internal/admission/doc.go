// Package admission decides which attachment may be on which network, and has
// the MAC and IP addresses of all networks.
//
// The decision is one pure function, [May], of the network's spec in force, the
// attachment, its namespace and the members that the network has. A [Ledger]
// asks it under the network's lock, and takes the addresses in the same step:
// for a pod that is about to be attached, for an attachment that waits or moves,
// for one that is there already, and for all of them after a restart.
//
//	L2Network ──> Judge ──> spec in force ──┐
//	L2Attachment, namespace ────────────────┴─> May ──> lease, or a Refusal
//
// A refused attachment waits in the ledger for what it lacks; what is released
// wakes as many of those that wait for it as can have it.
package admission
