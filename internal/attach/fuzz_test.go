package attach

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

// FuzzParse: whatever stands in the annotations, Parse returns requests that
// a node can wire, or a SyntaxError.
func FuzzParse(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""},
		{"ping-network, other-ns/lab", ""},
		{"a@net7,b", "macvlan,l2sm-system/l2sm"},
		{`[{"name":"n","ips":["10.1.0.1/16","fd00::1/64"],"mac":"0a:58:00:00:00:01","interface":"x","portSecurity":"MAC"}]`, ""},
		{`[{"name":`, `[{"name":"l2sm","namespace":"l2sm-system","interface":"net9"}]`},
		{"a,,b", "[]"},
		{"\x00/\xff@\n", "a@b@c"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, ours, theirs string) {
		requests, err := Parse(pod(map[string]string{own: ours, multusKey: theirs}))
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("not a SyntaxError: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, r := range requests.Own {
			if err := checkInterface(r.Interface); err != nil {
				t.Errorf("%q: %v", ours, err)
			}
			if seen[r.Interface] {
				t.Errorf("%q: interface %q twice", ours, r.Interface)
			}
			seen[r.Interface] = true
			if bad := validation.IsDNS1123Subdomain(Name("ping", "4f2a9c1e", r.Interface)); len(bad) > 0 {
				t.Errorf("%q: %v", ours, bad)
			}
		}
	})
}
