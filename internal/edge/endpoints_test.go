package edge

import (
	"strings"
	"testing"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/wireguard"
)

func TestEndpoints(t *testing.T) {
	private, err := wireguard.GeneratePrivate()
	if err != nil {
		t.Fatal(err)
	}
	key := private.Public().String()
	plain, encrypted := reach{own: at("192.0.2.1")}, reach{own: at("192.0.2.1"), encrypted: true}
	cases := map[string]struct {
		reason string
		reach  reach
		vteps  []string
		kind   v1alpha1.PeerType
		keys   []string
		at     string
		why    string
	}{
		"Plain":     {"as it is named", plain, nil, v1alpha1.PeerCluster, nil, "192.0.2.2", ""},
		"Ignored":   {"keys are of no use without encryption", plain, nil, v1alpha1.PeerCluster, []string{key}, "192.0.2.2", ""},
		"Encrypted": {"the address inside", encrypted, nil, v1alpha1.PeerCluster, []string{key}, wireguard.Inside(at("192.0.2.2")).String(), ""},
		"NoKeys":    {"never in the clear", encrypted, nil, v1alpha1.PeerCluster, nil, "", "write into publicKeys"},
		"Bad":       {"the API admits what is no key of 32 bytes", encrypted, nil, v1alpha1.PeerCluster, []string{key, strings.Repeat("A", 43) + "="}, "", "publicKeys: "},
		"Own":       {"two names of one edge", reach{own: at("192.0.2.2")}, nil, v1alpha1.PeerCluster, nil, "", "this edge's own address"},
		"Family":    {"a tunnel has both ends of one family", reach{own: at("2001:db8::1")}, nil, v1alpha1.PeerCluster, nil, "", "annotation l2sm.io/edge-address"},
		"VTEPs":     {"of a fabric's, those of one family", plain, []string{"2001:db8::/64", "198.51.100.0/24"}, v1alpha1.PeerFabric, nil, "192.0.2.2", ""},
		"NoVTEP":    {"it would announce what can't be reached", plain, []string{"2001:db8::/64"}, v1alpha1.PeerFabric, nil, "", "none of spec.vteps is of the family of 192.0.2.1"},
		"Fabric":    {"switches have no WireGuard", encrypted, []string{"192.0.2.0/24"}, v1alpha1.PeerFabric, []string{key}, "", "fabrics do not speak"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.L2Peer{Spec: v1alpha1.L2PeerSpec{Type: tc.kind, VTEPs: tc.vteps, Endpoints: []v1alpha1.PeerEndpoint{{Address: "192.0.2.2", PublicKeys: tc.keys}}}}
			all := tc.reach.endpoints(p)
			if len(all) != 1 {
				t.Fatalf("%d endpoints", len(all))
			}
			got := all[0]
			if tc.why == "" && (got.why != "" || got.at != at(tc.at)) || !strings.Contains(got.why, tc.why) {
				t.Errorf("%s: %s, because %q, want %s because %q", tc.reason, got.at, got.why, tc.at, tc.why)
			}
		})
	}
}

// One mistake of an administrator's keeps nobody else from anything.
func TestUnique(t *testing.T) {
	keys := make([]wireguard.Key, 3)
	for i := range keys {
		private, err := wireguard.GeneratePrivate()
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = private.Public()
	}
	own, err := wireguard.GeneratePrivate()
	if err != nil {
		t.Fatal(err)
	}
	s := settings{reach: reach{own: at("192.0.2.1")}, own: ownKeys{current: own}, wire: []wireguard.Peer{
		{Endpoint: at("192.0.2.2"), Keys: keys[:2]},
		{Endpoint: at("192.0.2.2"), Keys: keys[2:]},  // the same endpoint again
		{Endpoint: at("192.0.2.3"), Keys: keys[1:2]}, // another's key
		{Endpoint: at("192.0.2.5"), Keys: []wireguard.Key{own.Public()}},
		{Endpoint: at("192.0.2.4"), Keys: keys[2:]},
	}}
	s.unique()
	if len(s.wire) != 2 || s.wire[0].Endpoint != at("192.0.2.2") || s.wire[1].Endpoint != at("192.0.2.4") {
		t.Errorf("WireGuard speaks with %v, want 192.0.2.2 and 192.0.2.4", s.wire)
	}
	for endpoint, of := range map[string]string{"192.0.2.3": "192.0.2.2", "192.0.2.5": "192.0.2.1"} {
		if why := s.clashes[at(endpoint)]; !strings.Contains(why, "is that of "+of) {
			t.Errorf("of %s is said %q, want whose key it is, %s", endpoint, why, of)
		}
	}
}
