package evpn

// sequences are those of our MAC addresses that are announced. GoBGP refuses a route
// whose sequence is below that of another route of its MAC address.
type sequences map[macKey]*announcedMAC

type announcedMAC struct {
	sequence uint32
	routes   int
}

// raised is the sequence that a route is announced with: at least its MAC address'.
func (s sequences) raised(r Route) uint32 {
	if m := s[macKey{r.VNI, r.MAC}]; m != nil && r.Kind == MACIP {
		return max(r.Sequence, m.sequence)
	}
	return r.Sequence
}

func (s sequences) announced(r Route, isNew bool) {
	if r.Kind != MACIP {
		return
	}
	k := macKey{r.VNI, r.MAC}
	if s[k] == nil {
		s[k] = &announcedMAC{}
	}
	s[k].sequence = r.Sequence
	if isNew {
		s[k].routes++
	}
}

func (s sequences) withdrawn(key RouteKey) {
	k := macKey{key.VNI, key.MAC}
	if m := s[k]; m != nil && key.Kind == MACIP {
		if m.routes--; m.routes == 0 {
			delete(s, k)
		}
	}
}
