package multus

import "testing"

func TestMainNetwork(t *testing.T) {
	cases := map[string]struct{ reason, value, want string }{
		"Plain":       {"The usual form.", "ns/lab", "ns/lab"},
		"Named":       {"With an interface.", " ns/lab@eth0", "ns/lab"},
		"JSON":        {"As a list.", `[{"name":"lab","namespace":"ns"}]`, "ns/lab"},
		"Null":        {"A list of nothing.", "[null]", ""},
		"Broken":      {"Multus refuses it.", `[{"name":`, ""},
		"NoNamespace": {"It is in Multus' own namespace.", "lab", ""},
		"Empty":       {"It names none.", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			key, ok := MainNetwork(tc.value)
			if ok != (tc.want != "") || ok && key.String() != tc.want {
				t.Errorf("%s Got %q, %v; want %q", tc.reason, key, ok, tc.want)
			}
		})
	}
}
