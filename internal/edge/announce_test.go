package edge

import (
	"net/netip"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/evpn"
)

func TestHostOf(t *testing.T) {
	bound := func(change func(*v1alpha1.L2Attachment)) *v1alpha1.L2Attachment {
		a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a"}}
		a.Spec.PodUID, a.Spec.NodeName = "uid", "n1"
		a.Spec.MACAddress, a.Spec.Addresses = "0a:58:0a:65:00:02", []string{"10.101.0.2/16", "fd10:101::2/64"}
		a.Status.Network = &v1alpha1.NetworkReference{Namespace: "ns", Name: "net"}
		change(a)
		return a
	}
	deleted := metav1.Now()
	cases := map[string]struct {
		reason string
		a      *v1alpha1.L2Attachment
		want   bool
	}{
		"Bound":    {"it has a port", bound(func(*v1alpha1.L2Attachment) {}), true},
		"Reserved": {"its address waits for a pod, here or elsewhere", bound(func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "" }), false},
		"Refused":  {"the controller has put it on no network", bound(func(a *v1alpha1.L2Attachment) { a.Status.Network = nil }), false},
		"Going":    {"its port is about to go", bound(func(a *v1alpha1.L2Attachment) { a.DeletionTimestamp = &deleted }), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h, is := hostOf(tc.a)
			if is != tc.want {
				t.Errorf("%s: announced is %v", tc.reason, is)
			}
			if is && (h.mac.String() != "0a:58:0a:65:00:02" || !slices.Equal(h.addresses, []netip.Addr{at("10.101.0.2"), at("fd10:101::2")})) {
				t.Errorf("the host is %v", h)
			}
		})
	}
}

func TestSteps(t *testing.T) {
	mac := evpn.MAC{2, 0, 0, 0, 0, 1}
	keys := routesOf(5001, host{mac: mac, addresses: []netip.Addr{at("10.0.0.1"), at("fd00::1")}})
	if len(keys) != 3 || keys[0].Address.IsValid() {
		t.Fatalf("a host with two addresses has the routes %v, want the MAC address alone, and with each", keys)
	}
	have := map[evpn.RouteKey]announced{keys[0]: {sequence: 1, peers: "east"}, keys[1]: {sequence: 1, peers: "east"}, keys[2]: {sequence: 1, peers: "east"}}
	want := map[evpn.RouteKey]announced{keys[0]: {sequence: 1, peers: "east"}, keys[1]: {sequence: 2, peers: "east"}, {Kind: evpn.Multicast, VNI: 5001}: {sequence: 0, peers: "east"}}
	withdraw, announce := steps(have, want)
	if !slices.Equal(withdraw, keys[2:]) {
		t.Errorf("withdrawn is %v, want %v", withdraw, keys[2:])
	}
	if len(announce) != 2 || announce[0].Kind != evpn.Multicast || announce[1] != keys[1] {
		t.Errorf("announced is %v, want the network first, then the host's other sequence", announce)
	}
	want[keys[0]] = announced{sequence: 1, peers: "east,west"}
	if _, announce := steps(have, want); !slices.Contains(announce, keys[0]) {
		t.Error("a route for one peer more is not announced again")
	}
}
