// Package zones holds what makes each node a zone with databases of its own; only
// its tests are Go.
package zones
