package main

import (
	"testing"
	"time"
)

func newSouthboundForTest() *southbound {
	s := &southbound{switches: map[string]string{}, ports: map[string]standing{}, gone: map[string]time.Time{}}
	s.note(&datapathRow{UUID: "d1", ExternalIDs: map[string]string{"name": "one"}})
	s.note(&datapathRow{UUID: "d2", ExternalIDs: map[string]string{"name": "two"}})
	return s
}

// A remote port stands when its chassis is known, on the switch that it is asked for.
func TestSouthboundStands(t *testing.T) {
	s := newSouthboundForTest()
	s.note(&boundRow{UUID: "r", LogicalPort: "p", Datapath: "d1", Type: "remote"})
	if _, ok := s.on("p", "one"); ok || s.complete() != 0 {
		t.Error("a remote port without a chassis counts")
	}
	chassis := "c"
	s.note(&boundRow{UUID: "r", LogicalPort: "p", Datapath: "d1", Type: "remote", Chassis: &chassis})
	since, ok := s.on("p", "one")
	if !ok || since.IsZero() || s.complete() != 1 {
		t.Error("a bound remote port does not count")
	}
	if _, ok := s.on("p", "two"); ok {
		t.Error("it counts on another switch")
	}
	s.note(&boundRow{UUID: "r", LogicalPort: "p", Datapath: "d1", Type: "remote", Chassis: &chassis, TunnelKey: 7})
	if again, _ := s.on("p", "one"); again != since {
		t.Error("a change that is not looked at makes it come later")
	}
}

// Where there is an ovn-controller a port stands when it is bound.
func TestSouthboundClaims(t *testing.T) {
	s := newSouthboundForTest()
	s.claims = true
	s.note(&boundRow{UUID: "r", LogicalPort: "p", Datapath: "d1"})
	if _, ok := s.on("p", "one"); ok {
		t.Error("a port that nobody has bound counts")
	}
	chassis := "c"
	s.note(&boundRow{UUID: "r", LogicalPort: "p", Datapath: "d1", Chassis: &chassis})
	if _, ok := s.on("p", "one"); !ok {
		t.Error("a port that is bound does not count")
	}
}

// A move may show as a new row and the end of the old one, in any order.
func TestSouthboundMoves(t *testing.T) {
	s := newSouthboundForTest()
	old := &boundRow{UUID: "r1", LogicalPort: "p", Datapath: "d1"}
	s.note(old)
	s.note(&boundRow{UUID: "r2", LogicalPort: "p", Datapath: "d2"})
	s.lose(old)
	if _, ok := s.on("p", "two"); !ok {
		t.Error("the end of the old row took the new one along")
	}
	if _, ok := s.left("p"); ok {
		t.Error("it has left")
	}
	s.lose(&boundRow{UUID: "r2", LogicalPort: "p", Datapath: "d2"})
	if since, ok := s.left("p"); !ok || since.IsZero() {
		t.Error("it has not left")
	}
}
