// Package controllers is l2sm's control plane: it makes attachments of what
// pods ask for, and northbound rows of networks and attachments.
//
//	Pod ──> attach.Parse ──> L2Attachment (MAC and addresses already in it)
//	                              │
//	L2Network ────────────────────┴──> topology ──> ovn.Network ──> one transaction
//
// Each reconciler has a file; Reconcile gathers, decides by a pure function,
// and acts. What decides stands in topology.go (what the database shall hold),
// admission.go (who may have a port) and allocations.go (who has which
// address). The L2Attachment is the one durable record: whatever is kept in
// memory here is rebuilt from it.
//
// A refusal is a condition and is not retried: what it waits for is an event.
// Everything else is an error and is retried.
package controllers
