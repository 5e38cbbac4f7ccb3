package identity

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"l2sm.io/l2sm/internal/pki"
)

// Trust is what the ConfigMap [TrustName] says, in PEM.
type Trust struct{ Node, Control string }

// ParseTrust reads the ConfigMap's data.
func ParseTrust(data map[string]string) (Trust, error) {
	t := Trust{Node: data[NodeKey], Control: data[ControlKey]}
	for key, text := range map[string]string{NodeKey: t.Node, ControlKey: t.Control} {
		if _, err := pki.ParseCertificate([]byte(text)); err != nil {
			return Trust{}, fmt.Errorf("read %s of ConfigMap %s: %w", key, TrustName, err)
		}
	}
	return t, nil
}

// Data is the ConfigMap's, for [ParseTrust].
func (t Trust) Data() map[string]string {
	return map[string]string{NodeKey: t.Node, ControlKey: t.Control}
}

// Held is what a node has in its files, in PEM.
type Held struct{ Key, Certificate, Control []byte }

var errOther = errors.New("it is not this node's, or of an authority that is no longer trusted")

// Due is when the node must ask for another certificate, which may be in the
// past. A node that has none, or one that is not its own or that the authority of
// now did not sign, must ask at once: the zero time.
//
// Nodes that were installed together ask apart: at half to three quarters of
// their certificates' lives.
func Due(node string, h Held, t Trust) time.Time {
	begin, end, err := validity(node, h, t)
	if err != nil {
		return time.Time{}
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(node)) // it returns no error
	quarter := end.Sub(begin) / 4
	return begin.Add(2*quarter + quarter/256*time.Duration(hash.Sum32()%256))
}

// validity is the time in which the node's certificate is of use.
func validity(node string, h Held, t Trust) (begin, end time.Time, err error) {
	own, err := tls.X509KeyPair(h.Certificate, h.Key)
	if err != nil {
		return begin, end, err
	}
	authority, err := pki.ParseCertificate([]byte(t.Node))
	if err != nil {
		return begin, end, err
	}
	if own.Leaf.Subject.CommonName != node || own.Leaf.CheckSignatureFrom(authority) != nil {
		return begin, end, errOther
	}
	return own.Leaf.NotBefore, own.Leaf.NotAfter, nil
}

// outdated says that a node with a certificate does not trust the database's
// authority yet.
func (t Trust) outdated(h Held) bool {
	return len(h.Certificate) > 0 && !bytes.Equal(h.Control, []byte(t.Control))
}
