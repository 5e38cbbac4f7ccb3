package ovn

import "encoding/hex"

// rowID is the UUID of a row: as text it takes 64 bytes.
type rowID [16]byte

// dashes are where the text of a UUID has them, in order.
var dashes = [...]int{8, 13, 18, 23}

// parseUUID reads a UUID as ovsdb-server spells it, and nothing else: its text
// is String again.
func parseUUID(s string) (rowID, bool) {
	var id rowID
	if len(s) != 36 {
		return id, false
	}
	var digits [32]byte
	from, n := 0, 0
	for _, dash := range dashes {
		if s[dash] != '-' {
			return id, false
		}
		n += copy(digits[n:], s[from:dash])
		from = dash + 1
	}
	copy(digits[n:], s[from:])
	for _, d := range digits {
		if (d < '0' || d > '9') && (d < 'a' || d > 'f') {
			return id, false
		}
	}
	_, err := hex.Decode(id[:], digits[:])
	return id, err == nil
}

// String is the UUID's text.
func (id rowID) String() string {
	var digits [32]byte
	hex.Encode(digits[:], id[:])
	var text [36]byte
	from, n := 0, 0
	for _, dash := range dashes {
		from += copy(text[n:dash], digits[from:])
		text[dash] = '-'
		n = dash + 1
	}
	copy(text[n:], digits[from:])
	return string(text[:])
}
