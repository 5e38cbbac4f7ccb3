// Package ovn is the northbound side of l2sm: it makes OVN databases hold the
// networks that its caller wants.
//
//	Network ──> Diff(desired, actual) ──> Plan ──> one transaction ──> northbound database
//	                          ^                                             │
//	                          └──────── State <── cache <── monitor ────────┘
//	                                                │
//	                                                └─> Changes: rows that no longer are what was applied
//
// A network is a logical switch, an attachment is a logical switch port on it.
// Callers say the whole desired state of a network; [Diff], a pure function,
// finds the steps; [Client.Apply] commits them in one transaction, and in none
// when nothing differs.
//
// Every row carries its owner in external_ids. Rows without one belong to
// somebody else and are never touched.
//
// One [Client] serves one northbound database, on whichever of its endpoints
// answers. [Southbound] removes the chassis of nodes that are gone.
package ovn
