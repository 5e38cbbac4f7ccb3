package identity

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/pki"
)

func TestAuthoritiesNext(t *testing.T) {
	current, former := newAuthority(t), newAuthority(t).Pair().Certificate
	during := Authorities{Current: current, Former: former, FormerUntil: begin.Add(time.Minute)}
	text := func(s string) *string { return &s }
	const kept, made = true, false
	cases := map[string]struct {
		reason  string
		stands  Authorities
		rotate  *string
		now     time.Time
		current bool // the same signs
		former  []byte
		until   time.Duration // after now
		changed bool
	}{
		"Nothing":       {"The first start, or the Secret was deleted: nothing that was signed is trusted.", Authorities{}, nil, begin, made, nil, 0, true},
		"Stands":        {"It is left as it is.", Authorities{Current: current}, nil, begin, kept, nil, 0, false},
		"Rotate":        {"Both are trusted for as long as is asked.", Authorities{Current: current}, text("1m"), begin, made, current.Pair().Certificate, time.Minute, true},
		"AtOnce":        {"Nothing that was signed is trusted.", Authorities{Current: current}, text("0s"), begin, made, nil, 0, true},
		"Unreadable":    {"It is asked for all the same.", Authorities{Current: current}, text("now"), begin, made, current.Pair().Certificate, Overlap, true},
		"Long":          {"No longer than certificates live.", Authorities{Current: current}, text("9000h"), begin, made, current.Pair().Certificate, Overlap, true},
		"Negative":      {"That is no time.", Authorities{Current: current}, text("-1s"), begin, made, current.Pair().Certificate, Overlap, true},
		"Both":          {"The former's time is not over.", during, nil, begin, kept, former, time.Minute, false},
		"Over":          {"The former's time is over.", during, nil, begin.Add(time.Minute), kept, nil, 0, true},
		"Twice":         {"Two at most are trusted.", during, text("5m"), begin, made, current.Pair().Certificate, 5 * time.Minute, true},
		"AtOnceAmidst":  {"At once is at once.", during, text("0s"), begin, made, nil, 0, true},
		"LastYear":      {"Nodes' certificates must not end with it.", Authorities{Current: current}, nil, begin.Add(pki.AuthorityLifetime - renewBefore + time.Hour), made, current.Pair().Certificate, Overlap, true},
		"LastYearBegin": {"It is not due yet.", Authorities{Current: current}, nil, begin.Add(pki.AuthorityLifetime - renewBefore - time.Hour), kept, nil, 0, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			next, changed, err := tc.stands.Next(tc.rotate, tc.now)
			if err != nil {
				t.Fatal(err)
			}
			if next.Current == nil || (next.Current == tc.stands.Current) != tc.current || changed != tc.changed {
				t.Errorf("%s the same signs: %t, want %t; changed %t, want %t", tc.reason, next.Current == tc.stands.Current, tc.current, changed, tc.changed)
			}
			if !bytes.Equal(next.Former, tc.former) || len(tc.former) > 0 && !next.FormerUntil.Equal(tc.now.Add(tc.until)) {
				t.Errorf("%s the former is trusted until %s: %t, want %t, for %s", tc.reason, next.FormerUntil, len(next.Former) > 0, len(tc.former) > 0, tc.until)
			}
			if strings.Count(next.Trusted(), "BEGIN CERTIFICATE") > 2 || !strings.HasPrefix(next.Trusted(), string(next.Current.Pair().Certificate)) {
				t.Errorf("%s trusted:\n%s", tc.reason, next.Trusted())
			}
			if again, changed, _ := next.Next(nil, tc.now); changed || again.Trusted() != next.Trusted() {
				t.Errorf("%s it does not settle", tc.reason)
			}
			if until := next.Until(tc.now); until <= 0 || len(tc.former) > 0 && until != tc.until {
				t.Errorf("%s looks again after %s", tc.reason, until)
			}
		})
	}
}

func TestAuthoritiesAreKept(t *testing.T) {
	stands := Authorities{Current: newAuthority(t), Former: newAuthority(t).Pair().Certificate, FormerUntil: begin}
	read := ParseAuthorities(stands.Data())
	if read.Trusted() != stands.Trusted() || !read.FormerUntil.Equal(begin) {
		t.Errorf("read back %v", read)
	}
	for name, spoil := range map[string]func(map[string][]byte){
		"NoKey":    func(d map[string][]byte) { delete(d, pki.KeyFile) },
		"OtherKey": func(d map[string][]byte) { d[pki.KeyFile] = newAuthority(t).Pair().Key },
		"Leaf": func(d map[string][]byte) {
			h := heldBy(t, "a", stands.Current, time.Hour)
			d[pki.CertificateFile], d[pki.KeyFile] = h.Certificate, h.Key
		},
	} {
		data := stands.Data()
		spoil(data)
		if read := ParseAuthorities(data); read.Current != nil {
			t.Errorf("%s: an authority was read", name)
		}
	}
	data := stands.Data()
	data[formerUntilKey] = []byte("soon")
	if read := ParseAuthorities(data); len(read.Former) > 0 {
		t.Error("a former authority without an end is trusted")
	}
}
