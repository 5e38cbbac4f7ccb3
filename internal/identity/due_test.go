package identity

import (
	"testing"
	"time"

	"l2sm.io/l2sm/internal/pki"
)

var begin = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority("l2sm node", begin)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// heldBy is what a node has whose certificate was signed at begin.
func heldBy(t *testing.T, node string, authority *pki.Authority, lifetime time.Duration) Held {
	t.Helper()
	key, text, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Node(node, key.Public(), lifetime, begin)
	if err != nil {
		t.Fatal(err)
	}
	return Held{Key: text, Certificate: certificate}
}

func TestDue(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	trust := Trust{Node: string(ours.Pair().Certificate)}
	held := heldBy(t, "node-a", ours, 24*time.Hour)
	now := time.Time{}
	cases := map[string]struct {
		reason    string
		held      Held
		trust     Trust
		from, end time.Duration // after begin; both zero for at once
	}{
		"Fresh":     {"It is renewed at half to three quarters of its life, of which an hour was over.", held, trust, 11 * time.Hour, 17 * time.Hour},
		"Short":     {"The same of a short one.", heldBy(t, "node-a", ours, time.Minute), trust, 27 * time.Second, 43 * time.Second},
		"Nothing":   {"There is none.", Held{}, trust, 0, 0},
		"NoKey":     {"The key is gone.", Held{Certificate: held.Certificate}, trust, 0, 0},
		"OtherKey":  {"The key is another's.", Held{Certificate: held.Certificate, Key: heldBy(t, "node-a", ours, time.Hour).Key}, trust, 0, 0},
		"Rubbish":   {"A disk was full.", Held{Certificate: []byte("x"), Key: []byte("y")}, trust, 0, 0},
		"OtherNode": {"The disk is a copy of another node's.", heldBy(t, "node-b", ours, 24*time.Hour), trust, 0, 0},
		"Rotated":   {"The authority is another, of the same name.", held, Trust{Node: string(other.Pair().Certificate)}, 0, 0},
		"NoTrust":   {"Nothing is trusted.", held, Trust{}, 0, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Due("node-a", tc.held, tc.trust)
			if tc.end == 0 {
				if got != now {
					t.Errorf("%s due %s, want at once", tc.reason, got)
				}
				return
			}
			if got.Before(begin.Add(tc.from)) || got.After(begin.Add(tc.end)) {
				t.Errorf("%s due %s after it was signed, want %s to %s", tc.reason, got.Sub(begin), tc.from, tc.end)
			}
		})
	}
}

// Nodes that were installed together do not all come back at once.
func TestDueApart(t *testing.T) {
	ours := newAuthority(t)
	trust := Trust{Node: string(ours.Pair().Certificate)}
	hours := map[time.Duration]int{}
	for _, node := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		due := Due(node, heldBy(t, node, ours, 24*time.Hour), trust)
		hours[due.Sub(begin).Truncate(time.Hour)]++
	}
	if len(hours) < 4 {
		t.Errorf("twelve nodes are due in %d different hours: %v", len(hours), hours)
	}
}

func TestParseTrust(t *testing.T) {
	pem := string(newAuthority(t).Pair().Certificate)
	whole := Trust{Node: pem, Control: pem}
	if got, err := ParseTrust(whole.Data()); err != nil || got != whole {
		t.Errorf("ParseTrust(Data) = %v, %v", got, err)
	}
	for name, data := range map[string]map[string]string{
		"Nothing": nil, "NoControl": {NodeKey: pem}, "Rubbish": {NodeKey: pem, ControlKey: "rubbish"},
		"NoCertificate": {NodeKey: pem, ControlKey: "-----BEGIN CERTIFICATE-----\nMTIz\n-----END CERTIFICATE-----\n"},
	} {
		if got, err := ParseTrust(data); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}
