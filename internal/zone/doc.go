// Package zone makes a node's own northbound database hold the networks that have
// a member on the node: where every node has such a database, no other program
// knows what it must hold.
//
//	the node's L2Attachments ──┐                          topology.Zone (pure)
//	  of each of their networks ├─> table: what is where ──> what has changed ──> ovn.Client, one transaction a change
//	   L2Network, L2Attachments ┘                          │
//	L2Nodes ─────────────────────────────────────────────> chassis of members' nodes ──> ovn.Remotes (fabric Zones)
//
// What OVN learns of pods that flood it is kept within bounds, each zone for itself.
//
// Of other networks a node knows nothing: two watches are kept for each of its
// own. What this node's ports are is read from the cache that the agent has
// anyway. Watches are not ordered among each other, so the newer of two states of an
// attachment is the one that counts. Nothing is removed before the caches hold all
// there is.
package zone
