package pki_test

import (
	"bytes"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/pki"
)

func TestCovers(t *testing.T) {
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	hosts := []string{"ovn-central.l2sm-system.svc", "192.0.2.7"}
	server := must(t)(ours.Server("ovn-central", hosts, now))
	client := must(t)(ours.Client("l2sm", now))

	cases := map[string]struct {
		reason string
		pair   pki.Pair
		hosts  []string
		until  time.Time
		want   bool
	}{
		"Server":    {"It has all the names, for years.", server, hosts, now.Add(365 * 24 * time.Hour), true},
		"FewerHost": {"A name too many does no harm.", server, hosts[:1], now, true},
		"NewHost":   {"The Service was re-created and has another address.", server, []string{"192.0.2.8"}, now, false},
		"Client":    {"A client has no names.", client, nil, now, true},
		"Expires":   {"It is renewed before it expires.", server, hosts, now.Add(pki.LeafLifetime + time.Hour), false},
		"OtherCA":   {"Nobody trusts the former authority any more.", must(t)(other.Server("ovn-central", hosts, now)), hosts, now, false},
		"OtherKey":  {"A certificate is of no use without its key.", pki.Pair{Certificate: server.Certificate, Key: client.Key}, hosts, now, false},
		"Nothing":   {"There is none yet.", pki.Pair{}, nil, now, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := ours.Covers(tc.pair, tc.hosts, tc.until); got != tc.want {
				t.Errorf("%s: want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

func TestLeafOfTheAuthoritysName(t *testing.T) {
	leaf := parse(t, must(t)(newAuthority(t, "l2sm").Client("l2sm", now)))
	if bytes.Equal(leaf.RawSubject, leaf.RawIssuer) {
		t.Error("subject and issuer are equal: OpenSSL refuses it as self-signed")
	}
}
