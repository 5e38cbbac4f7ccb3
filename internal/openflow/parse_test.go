package openflow

import (
	"slices"
	"testing"
)

// flowEntry is what a switch says of one flow.
func flowEntry(cookie, frames, bytes uint64) []byte {
	stats := []byte{0, 0, 0, 0}
	stats = append(stats, field(classStats, 0, u64(1))...) // duration
	stats = append(stats, field(classStats, fieldFrames, u64(frames))...)
	stats = append(stats, field(classStats, fieldBytes, u64(bytes))...)
	be.PutUint16(stats[2:], uint16(len(stats)))
	b := append(make([]byte, 16), u64(cookie)...)
	b = append(b, Match{InPort: 1, TunnelID: 2}.encode()...)
	b = append(append(b, pad(stats)...), Flow{Actions: []Action{Output(3)}}.instructions()...)
	be.PutUint16(b, uint16(len(b)))
	return b
}

func meterEntry(id uint32, frames, dropped uint64) []byte {
	b := append(u32(id), make([]byte, 12)...)
	b = append(append(b, u64(frames)...), make([]byte, 16)...)
	b = append(append(b, u64(dropped)...), make([]byte, 8)...)
	be.PutUint16(b[4:], uint16(len(b)))
	return b
}

func TestParse(t *testing.T) {
	entries := slices.Concat(flowEntry(7, 11, 1100), flowEntry(8, 1, 60))
	var seen []uint64
	err := eachEntry(multipartFlows, entries, func(b []byte) error {
		cookie, count, err := parseFlow(b)
		seen = append(seen, cookie, count.Frames, count.Bytes)
		return err
	})
	if want := []uint64{7, 11, 1100, 8, 1, 60}; err != nil || !slices.Equal(seen, want) {
		t.Errorf("flows read as %v, %v, want %v", seen, err, want)
	}
	id, count, err := parseMeter(meterEntry(9, 300, 200))
	if want := (MeterCount{Frames: 300, Dropped: 200}); err != nil || id != 9 || count != want {
		t.Errorf("meter read as %d %+v, %v, want 9 %+v", id, count, err, want)
	}
}

// What is read comes from another process: nothing of it may be believed.
func FuzzParse(f *testing.F) {
	f.Add(uint16(multipartFlows), flowEntry(7, 11, 1100))
	f.Add(uint16(multipartMeters), meterEntry(9, 300, 200))
	for _, kind := range []uint16{multipartFlows, multipartMeters} {
		f.Add(kind, make([]byte, 64))                                 // entries of no length
		f.Add(kind, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0}) // longer than the message
	}
	for cut := range len(flowEntry(7, 11, 1100)) {
		entry := flowEntry(7, 11, 1100)[:cut]
		if cut > 2 {
			be.PutUint16(entry, uint16(cut))
		}
		f.Add(uint16(multipartFlows), entry)
	}
	f.Fuzz(func(t *testing.T, kind uint16, entries []byte) {
		read := 0
		err := eachEntry(kind, entries, func(b []byte) error {
			read += len(b)
			_, _, _ = parseFlow(b)
			_, _, _ = parseMeter(b)
			return nil
		})
		if err == nil && read != len(entries) {
			t.Errorf("%d of %d bytes were read without an error", read, len(entries))
		}
	})
}
