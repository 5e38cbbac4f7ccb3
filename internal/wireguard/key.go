package wireguard

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// Key is a public key.
type Key wgtypes.Key

// String is the key in base64, as wg(8) writes it.
func (k Key) String() string { return wgtypes.Key(k).String() }

// ParseKey reads what String returns.
func ParseKey(text string) (Key, error) {
	k, err := parse(text)
	if err != nil {
		return Key{}, fmt.Errorf("parse public key: %w", err)
	}
	return Key(k), nil
}

// PrivateKey is the key of an edge. It is printed by Text alone: whatever else prints it,
// at any depth, as a log does, shows that there is one. The zero value is none.
type PrivateKey struct {
	// A pointer to a pointer, as fmt asks no method of what stands in a field that is not
	// exported: then it prints an address, and follows one for a verb that does not fit.
	key **wgtypes.Key
}

func private(k wgtypes.Key) PrivateKey {
	secret := &k
	return PrivateKey{&secret}
}

// secret is nil where there is none.
func (p PrivateKey) secret() *wgtypes.Key {
	if p.key == nil {
		return nil
	}
	return *p.key
}

// GeneratePrivate makes a key.
func GeneratePrivate() (PrivateKey, error) {
	k, err := wgtypes.GeneratePrivateKey()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generate private key: %w", err)
	}
	return private(k), nil
}

// ParsePrivateKey reads what Text returns, or wg(8)'s genkey.
func ParsePrivateKey(text string) (PrivateKey, error) {
	k, err := parse(text)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("parse private key: %w", err)
	}
	// What every device does to a key that it is given (RFC 7748, section 5): else the
	// device's would differ from this one for ever.
	k[0] &= 248
	k[31] = k[31]&127 | 64
	return private(k), nil
}

// Public is the key that others know it by. A PrivateKey that is none has the zero Key.
func (p PrivateKey) Public() Key {
	if secret := p.secret(); secret != nil {
		return Key(secret.PublicKey())
	}
	return Key{}
}

// Text is the secret itself, in base64.
func (p PrivateKey) Text() string {
	if secret := p.secret(); secret != nil {
		return secret.String()
	}
	return ""
}

// Equal says whether both are the same key.
func (p PrivateKey) Equal(q PrivateKey) bool { return p.Text() == q.Text() }

// Format implements fmt.Formatter.
func (PrivateKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "(private key)") }

var errKey = errors.New("it must be 32 bytes in base64, as `wg genkey` and `wg pubkey` print them, and not all zero")

// parse says nothing about the text, which may be a secret.
func parse(text string) (wgtypes.Key, error) {
	var k wgtypes.Key
	if len(text) != base64.StdEncoding.EncodedLen(len(k)) {
		return k, errKey
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(k) {
		return k, errKey
	}
	copy(k[:], b)
	if k == (wgtypes.Key{}) {
		return k, errKey
	}
	return k, nil
}
