// Package ovn is the northbound side of l2sm: it makes OVN databases hold the
// networks that its caller wants.
//
//	Network ──────┐
//	PortChanges ──┴> Diff(desired, actual) ──> Plan ──> transaction ──> northbound database
//	                          ^                                              │
//	                          └──────── State <── replica <── monitor ───────┘
//	                                                 │
//	                                                 └─> Changes: rows that no longer are what was applied
//
// A network is a logical switch, an attachment is a logical switch port on it.
// [Client.Apply] takes the whole desired state of a network,
// [Client.ApplyPorts] some of its ports, at a cost that depends on these alone;
// [Diff], a pure function, finds the steps. They are committed in one
// transaction, in several when there are thousands of ports, and in none when
// nothing differs.
//
// What a network consists of is a list of kinds: its switch, its DHCP options,
// its ports, its ACLs. A kind is one file with its rows, what differs in them, the
// operations that correct it, the guards under which these are committed, and
// its part of a listing. To add one, write such a file and put it into the list
// in kinds.go. The replica holds rows packed, as there is one for each port of
// the cluster: models.go says how. What was applied is remembered by its
// fingerprints.
//
// Every row carries in external_ids its network, that network's UID and the kind
// of object it is for. Rows without them belong to somebody else and are never
// touched. A row that only its name or network could tell from another, such as
// a switch, is created with a UUID that follows from these, so that two writers
// cannot create it twice; should it exist twice nevertheless, because a writer
// of another version chose another UUID, one is removed.
//
// One [Client] serves one northbound database, on whichever of its endpoints
// answers. [Southbound] removes the chassis of nodes that are gone, and what OVN has
// learned of pods that flood it.
package ovn
