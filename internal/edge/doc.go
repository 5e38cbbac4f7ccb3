// Package edge is a node's part in carrying networks to other clusters: from what the
// API says, what Open vSwitch has and what peers announce, it makes the flows of br-edge
// and what is announced. docs/designs/stretch.md tells how the parts go together.
//
// One goroutine works (worker.go); all else tells it what has changed (dirty.go). What it
// decides is in functions without side effects: flows.go, announce.go, election.go.
package edge
