package attach

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// annotations is the largest text that all annotations of an object may have
// together (apimachinery's TotalAnnotationSizeLimitB).
const annotations = 256 << 10

// list is n entries in the form, which may hold a %d.
func list(n int, form, separator string) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = strings.ReplaceAll(form, "%d", fmt.Sprint(i))
	}
	return strings.Join(entries, separator)
}

// Whatever a pod's annotations hold: too many entries are refused before
// anything is made of one, and the message is short.
func TestParseBoundsEntries(t *testing.T) {
	cases := map[string]map[string]string{
		"Plain":        {own: list(annotations/2, "a", ",")},
		"JSON":         {own: "[" + list(annotations/13, `{"name":"a"}`, ",") + "]"},
		"Multus":       {multusKey: list(annotations/2, "a", ",")},
		"MultusJSON":   {multusKey: "[" + list(annotations/13, `{"name":"a"}`, ",") + "]"},
		"MultusQuotes": {multusKey: `"` + list(annotations/2, "a", ",")},
		"Theirs":       {theirs: list(annotations/2, "a", ",")},
		"Nulls":        {multusKey: "[" + list(annotations/5, "null", ",") + "]"},
		"Commas":       {own: strings.Repeat(",", annotations)},
		"OwnOneMore":   {own: list(MaxEntries+1, "a", ",")},
		"OneMore":      {multusKey: list(MaxEntries+1, "a", ",")},
		"Together":     {own: list(MaxEntries/2+1, "a", ","), multusKey: list(MaxEntries/2, "a", ",")},
	}
	for name, annotations := range cases {
		t.Run(name, func(t *testing.T) {
			p := pod(annotations)
			_, err := Parse(p)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || len(err.Error()) > 512 {
				t.Fatalf("want a SyntaxError of at most 512 bytes, got %.600v", err)
			}
			if steps := testing.AllocsPerRun(3, func() { _, _ = Parse(p) }); steps > 100*MaxEntries {
				t.Errorf("%.0f allocations", steps)
			}
		})
	}
}

// The largest legal input: 64 entries, in each form, and the whole size of
// annotations. Twice as many entries cost twice as much, not four times.
func TestParseIsLinear(t *testing.T) {
	for name, form := range map[string]struct{ key, before, entry, after string }{
		"Plain":      {own, "", "ns/network-%d@if%d", ""},
		"JSON":       {own, "[", `{"name":"network-%d","ips":["10.0.0.1/16","fd00::1/64"],"mac":"02:00:00:00:00:01"}`, "]"},
		"Multus":     {multusKey, "", "ns/network-%d@if%d", ""},
		"MultusJSON": {multusKey, "[", `{"name":"network-%d","ips":["10.0.0.1/16","fd00::1/64"],"mac":"02:00:00:00:00:01"}`, "]"},
	} {
		t.Run(name, func(t *testing.T) {
			steps := func(n int) float64 {
				p := pod(map[string]string{form.key: form.before + list(n, form.entry, ",") + form.after + strings.Repeat(" ", annotations/2)})
				requests, err := Parse(p)
				if err != nil || len(requests.Own)+len(requests.Multus) != n {
					t.Fatalf("%d entries: %v, %v", n, requests, err)
				}
				return testing.AllocsPerRun(3, func() { _, _ = Parse(p) })
			}
			half, all := steps(MaxEntries/2), steps(MaxEntries)
			if all > 2.5*half {
				t.Errorf("%d entries cost %.0f allocations, %d cost %.0f", MaxEntries/2, half, MaxEntries, all)
			}
		})
	}
}

// The policy adds an entry of ours to the Multus annotation, which is none that
// a user asked for.
func TestParseTakesAllEntriesBesideOurs(t *testing.T) {
	for name, annotations := range map[string]map[string]string{
		"Own":    {own: list(MaxEntries, "a", ","), multusKey: "l2sm-system/l2sm"},
		"Multus": {multusKey: list(MaxEntries, "a", ",") + ",l2sm-system/l2sm"},
	} {
		if _, err := Parse(pod(annotations)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One huge value in an otherwise good annotation: no message repeats it.
func TestMessagesAreBounded(t *testing.T) {
	huge := strings.Repeat("x", annotations)
	for name, annotations := range map[string]map[string]string{
		"Name":         {own: huge},
		"Namespace":    {own: huge + "/a"},
		"Interface":    {own: "a@" + huge},
		"YAML":         {own: "- " + huge},
		"JSONName":     {own: `[{"name":"` + huge + `"}]`},
		"JSONField":    {own: `[{"` + huge + `":1}]`},
		"JSONIP":       {own: `[{"name":"a","ips":["` + huge + `"]}]`},
		"JSONMAC":      {own: `[{"name":"a","mac":"` + huge + `"}]`},
		"JSONSecurity": {own: `[{"name":"a","portSecurity":"` + huge + `"}]`},
		"JSONBroken":   {own: `[{"name":` + huge},
		"Multus":       {multusKey: huge + "/a/b"},
		"MultusType":   {multusKey: `[{"name":"a","ips":"` + huge + `"}]`},
		"MultusField":  {multusKey: `[{"name":"a","` + huge + `":1}]`},
		"MultusGUID":   {multusKey: `[{"name":"a","infiniband-guid":"` + huge + `"}]`},
		"MultusIP":     {multusKey: `[{"name":"a","ips":["` + huge + `"]}]`},
		"MultusPlain":  {multusKey: "a@X" + huge},
		"MultusSame":   {multusKey: "a@" + huge + ",b@" + huge},
		"MultusHeld":   {multusKey: "a@" + huge, own: "b@" + huge},
		"Deep":         {multusKey: strings.Repeat("[", annotations), own: strings.Repeat("[", annotations)},
	} {
		t.Run(name, func(t *testing.T) {
			requests, err := Parse(pod(annotations))
			if err == nil {
				err = requests.Multus[0].Err
			}
			if err == nil || len(err.Error()) > 1024 {
				t.Errorf("want an error of at most 1,024 bytes, got %.200v", err)
			}
		})
	}
}

// Match asks each request and each attachment once a pass, however many there
// are of either.
func TestMatchIsLinear(t *testing.T) {
	for _, n := range []int{100, 1_000} {
		attachments := make([]v1alpha1.L2Attachment, n)
		for i := range attachments {
			attachments[i] = made(fmt.Sprint(i), "a", fmt.Sprintf("data%d", i))
		}
		p := pod(map[string]string{own: list(MaxEntries, "a", ",")})
		m := newMatching(p, parse(t, p), attachments)
		steps := 0
		for _, by := range m.passes() {
			counted := pass{
				offers: func(a *v1alpha1.L2Attachment) (key, bool) { steps++; return by.offers(a) },
				asks:   func(r Request) (key, bool) { steps++; return by.asks(r) },
			}
			m.pair(counted)
		}
		if served := m.matched(); served.Serving[MaxEntries-1] == nil {
			t.Errorf("%d attachments do not serve %d requests", n, MaxEntries)
		}
		if steps > len(m.passes())*(n+MaxEntries) {
			t.Errorf("%d attachments and %d requests took %d steps", n, MaxEntries, steps)
		}
	}
}

// A pod's interfaces are as many as its users attach: the search for a free
// name ends.
func TestFreeInterfaceEnds(t *testing.T) {
	steps := 0
	_, ok := FreeInterface(Request{Interface: "net1"}, func(string) bool { steps++; return true })
	if ok || steps > maxAssigned+1 {
		t.Errorf("want none after at most %d steps, got %t after %d", maxAssigned+1, ok, steps)
	}
}
