package openflow

// Kinds of multipart messages (OpenFlow 1.5.1 section 7.3.5).
const (
	multipartFlows  = 1 // OFPMP_FLOW_DESC
	multipartMeters = 9 // OFPMP_METER_STATS
)

// flowsRequest asks for the flows of all tables, whatever their ports, groups and cookies.
func flowsRequest() []byte {
	b := []byte{allTables, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	b = append(append(b, u64(0)...), u64(0)...)
	return append(b, Match{}.encode()...)
}

// metersRequest asks for all meters (OFPM_ALL).
func metersRequest() []byte {
	return []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
}

// eachEntry hands out the entries of a reply. Each says its length: a flow's in front, a
// meter's after its ID.
func eachEntry(kind uint16, entries []byte, take func([]byte) error) error {
	at := map[uint16]int{multipartFlows: 0, multipartMeters: 4}[kind]
	for len(entries) > 0 {
		if len(entries) < at+2 {
			return errShort
		}
		length := int(be.Uint16(entries[at:]))
		if length < at+2 || length > len(entries) {
			return errShort
		}
		if err := take(entries[:length]); err != nil {
			return err
		}
		entries = entries[length:]
	}
	return nil
}

// parseFlow reads struct ofp_flow_desc: its cookie, and after the match its statistics.
func parseFlow(b []byte) (cookie uint64, count Count, err error) {
	const fixed = 24
	if len(b) < fixed+4 {
		return 0, Count{}, errShort
	}
	cookie, b = be.Uint64(b[16:]), b[fixed:]
	match := padded(int(be.Uint16(b[2:])))
	if match < 4 || len(b) < match+4 {
		return 0, Count{}, errShort
	}
	b = b[match:]
	stats := int(be.Uint16(b[2:]))
	if stats < 4 || stats > len(b) {
		return 0, Count{}, errShort
	}
	count, err = parseStats(b[4:stats])
	return cookie, count, err
}

func padded(n int) int { return (n + 7) / 8 * 8 }

// Statistics of a flow are fields as those of a match are (OXS, section 7.2.4.2).
const (
	classStats  = 0x8002
	fieldFrames = 4
	fieldBytes  = 5
)

func parseStats(b []byte) (Count, error) {
	var count Count
	for len(b) > 0 {
		if len(b) < 4 || len(b) < 4+int(b[3]) {
			return Count{}, errShort
		}
		value := b[4 : 4+int(b[3])]
		if be.Uint16(b) == classStats && len(value) == 8 {
			switch b[2] >> 1 {
			case fieldFrames:
				count.Frames = be.Uint64(value)
			case fieldBytes:
				count.Bytes = be.Uint64(value)
			}
		}
		b = b[4+len(value):]
	}
	return count, nil
}

// parseMeter reads struct ofp_meter_stats of a meter with one band, which drops.
func parseMeter(b []byte) (id uint32, count MeterCount, err error) {
	const fixed = 40
	if len(b) < fixed {
		return 0, MeterCount{}, errShort
	}
	id, count.Frames = be.Uint32(b), be.Uint64(b[16:])
	for bands := b[fixed:]; len(bands) >= 16; bands = bands[16:] {
		count.Dropped += be.Uint64(bands)
	}
	return id, count, nil
}
