package controllers

import (
	"encoding/binary"
	"maps"
	"slices"

	"l2sm.io/l2sm/ovn"
)

// packed is a logical switch port in one string, but for what its attachment's
// name and UID say: the slices and the map of thousands of ports would weigh
// several times as much as what is in them. Equal ports are packed equally.
type packed string

func pack(p ovn.Port) packed {
	b := make([]byte, 0, 256) // most ports fit, and none outlives the call
	b = appendText(b, p.Type)
	b = appendList(b, p.Addresses)
	b = appendList(b, p.PortSecurity)
	b = binary.AppendUvarint(b, uint64(len(p.Options)))
	for _, key := range slices.Sorted(maps.Keys(p.Options)) {
		b = appendText(appendText(b, key), p.Options[key])
	}
	return packed(binary.AppendVarint(b, int64(p.TunnelKey)))
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendList(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, text := range list {
		b = appendText(b, text)
	}
	return b
}

// port is what was packed.
func (s packed) port() ovn.Port {
	p := ovn.Port{Type: s.text(), Addresses: s.list(), PortSecurity: s.list()}
	for range s.count() {
		if p.Options == nil {
			p.Options = map[string]string{}
		}
		key := s.text()
		p.Options[key] = s.text()
	}
	key, _ := binary.Varint([]byte(s))
	p.TunnelKey = int(key)
	return p
}

func (s *packed) count() int {
	n, size := binary.Uvarint([]byte((*s)[:min(len(*s), binary.MaxVarintLen64)]))
	*s = (*s)[size:]
	return int(n) //nolint:gosec // a length that pack has written
}

func (s *packed) text() string {
	n := s.count()
	text := (*s)[:n]
	*s = (*s)[n:]
	return string(text)
}

func (s *packed) list() []string {
	var all []string
	for range s.count() {
		all = append(all, s.text())
	}
	return all
}
