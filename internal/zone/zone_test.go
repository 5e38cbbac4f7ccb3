//go:build integration

package zone_test

import "testing"

// Pods of two nodes reach each other, by either family and by multicast.
func TestZonesReachEachOther(t *testing.T) {
	w := start(t, "node-a", "node-b")
	one := w.network("one")
	a, b := w.attach(one, "node-a", 1).plug(), w.attach(one, "node-b", 2).plug()
	w.reaches(a, b)
	w.reaches(b, a)
}
