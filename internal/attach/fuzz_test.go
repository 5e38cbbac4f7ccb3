package attach

import (
	"errors"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// FuzzParse: whatever stands in the annotations, Parse returns requests that
// a node can wire, each once, or a SyntaxError, and Match takes what it returns.
func FuzzParse(f *testing.F) {
	for _, seed := range [][3]string{
		{"", "", ""},
		{"ping-network, other-ns/lab", "", "net1"},
		{"a@net7,b", "macvlan,l2sm-system/l2sm", "net7"},
		{`[{"name":"n","ips":["10.1.0.1/16","fd00::1/64"],"mac":"0a:58:00:00:00:01","interface":"x","portSecurity":"MAC","roles":["Router"]}]`, "", "x"},
		{`[{"name":`, `[{"name":"l2sm","namespace":"l2sm-system","interface":"net9"}]`, ""},
		{"a,,b", "[]", ""},
		{"\x00/\xff@\n", "a@b@c", ""},
		{"- lab\n- other", "[null]", ""},
		{"[null]", `[{"name":"a"},null]`, ""},
		{"[[]]", `[[],{},1,"x",true]`, ""},
		{"", `[{"name":"a","interface":"x"},{"name":"b","interface":"x","portMappings":[{"hostPort":1}]}]`, "x"},
		{"", `[{"name":"a","ips":["10.0.0.0/8"],"bandwidth":{},"cni-args":{"a":[1]},"ip":null}]`, "net1"},
		{"a@x%d", "a.b, c@D", "default"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, ours, theirs, iface string) {
		p := pod(map[string]string{own: ours, multusKey: theirs})
		requests, err := Parse(p)
		if err != nil {
			checkSyntaxError(t, err)
			return
		}
		if n := len(requests.Own) + len(requests.Multus); n > MaxEntries {
			t.Errorf("%d requests", n)
		}
		seen := map[string]bool{}
		for _, r := range slices.Concat(requests.Own, requests.Multus) {
			if r.Err != nil {
				checkSyntaxError(t, r.Err)
				continue
			}
			if err := checkInterface(r.Interface); err != nil {
				t.Errorf("%q, %q: %v", ours, theirs, err)
			}
			if seen[r.Interface] {
				t.Errorf("%q, %q: interface %q twice", ours, theirs, r.Interface)
			}
			seen[r.Interface] = true
			if bad := validation.IsDNS1123Subdomain(Name("ping", "4f2a9c1e", r.Interface)); len(bad) > 0 {
				t.Errorf("%q: %v", ours, bad)
			}
		}
		checkMatch(t, requests, iface)
	})
}

func checkSyntaxError(t *testing.T, err error) {
	t.Helper()
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || len(err.Error()) > 1024 {
		t.Errorf("want a SyntaxError of at most 1,024 bytes, got %v", err)
	}
}

// checkMatch gives each request an attachment that was born of it, and one of a
// user's on an interface of any name: no request is served by two, and none of
// the refused.
func checkMatch(t *testing.T, requests Requests, iface string) {
	t.Helper()
	all := slices.Concat(requests.Own, requests.Multus)
	p := pod(nil)
	p.UID = "uid-1"
	attachments := []v1alpha1.L2Attachment{made("users", "n", iface)}
	for _, r := range all {
		attachments = append(attachments, born(r.Interface, r.Network.Name, r.Interface, r.Entry))
	}
	matched := Match(p, all, attachments)
	served := map[*v1alpha1.L2Attachment]bool{}
	for i, a := range matched.Serving {
		if (a == nil) != (all[i].Err != nil) || a != nil && served[a] {
			t.Errorf("request %+v is served by %+v", all[i], a)
		}
		served[a] = true
	}
}
