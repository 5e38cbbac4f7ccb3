package edge

import (
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/evpn"
)

func TestRemoteOf(t *testing.T) {
	n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "net", UID: "u"}}
	p := part{vni: 5001, peer: "east", number: 3}
	if r := remoteOf(n, p, nil); r != nil {
		t.Errorf("a part without hosts is %v", r)
	}
	r := remoteOf(n, p, map[evpn.MAC][]netip.Addr{{2, 0, 0, 0, 0, 2}: {at("fd00::2"), at("10.0.0.2")}, {2, 0, 0, 0, 0, 1}: nil})
	if r.Network != "net" || r.Peer != "east" || len(r.Hosts) != 2 || r.Hosts[0].MACAddress != "02:00:00:00:00:01" || r.Hosts[1].Addresses[0] != "10.0.0.2" {
		t.Errorf("the object is %+v, want its hosts in order", r)
	}
	if len(r.OwnerReferences) != 1 || r.OwnerReferences[0].UID != "u" {
		t.Error("the object stays when its network goes")
	}
	other := *n
	other.UID = "v"
	if nameOf(other.UID, p) == r.Name {
		t.Error("a network that was made again has the objects of the one before")
	}
}

// What a change of one host rewrites is bounded, whatever the peer may announce.
func TestPartsAreBounded(t *testing.T) {
	const most = 65536
	sizes := map[int]int{}
	for i := range most {
		sizes[partOf(evpn.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, partsOf(most))]++
	}
	largest := 0
	for _, n := range sizes {
		largest = max(largest, n)
	}
	if largest > 1024 { // what L2Remote admits
		t.Errorf("a part has %d hosts of %d", largest, most)
	}
	t.Logf("%d hosts are in %d parts of %d at most", most, len(sizes), largest)
}
