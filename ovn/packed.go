package ovn

import (
	"encoding/binary"
	"maps"
	"slices"
)

// packed is what a row of the replica holds, as one string: a map of four pairs
// alone takes 336 bytes, and there is a row for each port of the cluster.
type packed string

// wellKnown are strings that many rows hold, each packed into one byte. Nothing
// packed outlives the process, so their order is free.
var wellKnown = []string{
	networkID, networkUIDID, attachmentUIDID, ownerKindID, kindNetwork, kindAttachment, tunnelKey,
	"requested-chassis", "iface-id-ver", "unknown", "server_id", "server_mac", "lease_time", "mtu",
	"from-lport", "drop", "allow", portID, passthru, fdbAge, "true",
}

// What a packed string begins with: one of these, plus the number of them times
// its length or its index.
const (
	plainText = iota // of that length
	knownText        // of that index in wellKnown
	uuidText         // 16 bytes
	kindsOfText
)

// packer packs values one after the other.
type packer []byte

func (p *packer) number(n int) {
	*p = binary.AppendUvarint(*p, uint64(n))
}

func (p *packer) text(s string) {
	if i := slices.Index(wellKnown, s); i >= 0 {
		p.number(i*kindsOfText + knownText)
		return
	}
	if id, is := parseUUID(s); is {
		p.number(uuidText)
		*p = append(*p, id[:]...)
		return
	}
	p.number(len(s)*kindsOfText + plainText)
	*p = append(*p, s...)
}

func (p *packer) set(values []string) {
	p.number(len(values))
	for _, v := range values {
		p.text(v)
	}
}

func (p *packer) pairs(m map[string]string) {
	p.number(len(m))
	for k, v := range m {
		p.text(k)
		p.text(v)
	}
}

// sortedPairs packs equal maps equally.
func (p *packer) sortedPairs(m map[string]string) {
	p.number(len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p.text(k)
		p.text(m[k])
	}
}

// option packs a string that may be absent.
func (p *packer) option(s *string) {
	if s == nil {
		p.set(nil)
		return
	}
	p.set([]string{*s})
}

// unpacker takes values out in the order in which they were packed. The text
// shares the packed memory.
type unpacker packed

func (u *unpacker) number() int {
	n, shift := 0, 0
	for {
		b := (*u)[0]
		*u = (*u)[1:]
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
		shift += 7
	}
}

func (u *unpacker) text() string {
	n := u.number()
	rest := n / kindsOfText
	switch n % kindsOfText {
	case knownText:
		return wellKnown[rest]
	case uuidText:
		id := rowID([]byte((*u)[:16]))
		*u = (*u)[16:]
		return id.String()
	default:
		s := (*u)[:rest]
		*u = (*u)[rest:]
		return string(s)
	}
}

func (u *unpacker) set() []string {
	n := u.number()
	if n == 0 {
		return nil
	}
	values := make([]string, n)
	for i := range values {
		values[i] = u.text()
	}
	return values
}

func (u *unpacker) pairs() map[string]string {
	n := u.number()
	if n == 0 {
		return nil
	}
	m := make(map[string]string, n)
	for range n {
		k := u.text()
		m[k] = u.text()
	}
	return m
}

func (u *unpacker) option() *string {
	if values := u.set(); len(values) > 0 {
		return &values[0]
	}
	return nil
}
