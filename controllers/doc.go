// Package controllers is l2sm's control plane: it makes attachments of what
// pods ask for, and northbound rows of networks and attachments.
//
//	Pod ──> attach.Parse ──> L2Attachment (MAC and addresses already in it)
//	                              │
//	L2Network ──> admission ──────┴──> topology ──> ports ──> one transaction
//
// Each reconciler has a file; Reconcile gathers, decides and acts. Whether an
// attachment may be on a network, and with which addresses, is decided by
// internal/admission; what the database must hold of it by internal/topology.
// The desired ports are kept in memory (ports.go), changed by each attachment's
// own reconcile, and written by their network's: what has changed, or all of it
// after a connection was made or another spec has come into force. The
// L2Attachment is the one durable record: whatever is kept in memory here is
// rebuilt from it.
//
// Where every node has a northbound database of its own, its agent writes that, and
// what stands in the place of ports here are their tunnel keys (tunnelkeys*.go).
//
// The cache of the API keeps objects packed, without what is read nowhere, and
// hands them out whole (cache_*.go): a field that code begins to read is added
// there, and a test says so.
//
// A refusal is a condition and is not retried: what it waits for is an event.
// Everything else is an error and is retried.
package controllers
