package identity

import (
	"time"

	"l2sm.io/l2sm/internal/pki"
)

const (
	// AuthorityName is the Secret of the authority that signs nodes' certificates.
	AuthorityName = "ovn-node-ca"
	// RotateAnnotation on that Secret asks for another authority at once. Its value
	// is how long the former stays trusted beside it, such as 10m, or 0s.
	RotateAnnotation = "l2sm.io/rotate"

	// Overlap is how long that is where nothing readable is asked for: nodes get
	// their certificates in seconds.
	Overlap = 10 * time.Minute
	// renewBefore is how long before its end an authority is followed by another.
	renewBefore = 365 * 24 * time.Hour

	formerKey      = "former.crt"
	formerUntilKey = "former-until"
)

// Authorities are those whose certificates are taken for nodes'.
type Authorities struct {
	// Current signs.
	Current *pki.Authority
	// Former is trusted until FormerUntil, PEM. Empty: none is.
	Former      []byte
	FormerUntil time.Time
}

// ParseAuthorities reads the Secret's data. What can't be read is left out.
func ParseAuthorities(data map[string][]byte) Authorities {
	var a Authorities
	current, err := pki.ParseAuthority(pki.Pair{Certificate: data[pki.CertificateFile], Key: data[pki.KeyFile]})
	if err == nil {
		a.Current = current
	}
	until, err := time.Parse(time.RFC3339, string(data[formerUntilKey]))
	if _, unreadable := pki.ParseCertificate(data[formerKey]); err == nil && unreadable == nil {
		a.Former, a.FormerUntil = data[formerKey], until
	}
	return a
}

// Data is the Secret's, for [ParseAuthorities].
func (a Authorities) Data() map[string][]byte {
	pair := a.Current.Pair()
	data := map[string][]byte{pki.CertificateFile: pair.Certificate, pki.KeyFile: pair.Key}
	if len(a.Former) > 0 {
		data[formerKey], data[formerUntilKey] = a.Former, []byte(a.FormerUntil.Format(time.RFC3339))
	}
	return data
}

// Trusted are the certificates of all, PEM, the current one first.
func (a Authorities) Trusted() string { return string(a.Current.Pair().Certificate) + string(a.Former) }

// Next is what the authorities must be: the same, unless there is none that
// signs, another is asked for (rotate is the annotation's value), or the time of
// one is over.
func (a Authorities) Next(rotate *string, now time.Time) (next Authorities, changed bool, err error) {
	next = a
	if len(a.Former) > 0 && !now.Before(a.FormerUntil) {
		next.Former, next.FormerUntil, changed = nil, time.Time{}, true
	}
	aged := a.Current != nil && !a.Current.Covers(a.Current.Pair(), nil, now.Add(renewBefore))
	if a.Current != nil && !aged && rotate == nil {
		return next, changed, nil
	}
	made, err := pki.NewAuthority("l2sm node", now)
	if err != nil {
		return a, false, err
	}
	next.Current = made
	if overlap := overlapOf(rotate); a.Current != nil {
		next.Former, next.FormerUntil = nil, time.Time{}
		if overlap > 0 {
			next.Former, next.FormerUntil = a.Current.Pair().Certificate, now.Add(overlap)
		}
	}
	return next, true, nil
}

func overlapOf(rotate *string) time.Duration {
	if rotate == nil {
		return Overlap
	}
	asked, err := time.ParseDuration(*rotate)
	if err != nil || asked < 0 || asked > MaxLifetime {
		return Overlap
	}
	return asked
}

// Until is how long from now Next changes nothing, unless it is asked to.
func (a Authorities) Until(now time.Time) time.Duration {
	until := a.Current.Until().Add(-renewBefore).Sub(now)
	if len(a.Former) > 0 {
		until = min(until, a.FormerUntil.Sub(now))
	}
	return max(until, 0)
}
