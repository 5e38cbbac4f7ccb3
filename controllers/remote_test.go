package controllers

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// What can't be read, or is no host's, is left out and counted, whoever let it into the
// API.
func TestAnnouncedBy(t *testing.T) {
	mac := ipam.MAC{0x0a, 0x58, 10, 0, 0, 7}
	addr := netip.MustParseAddr("10.0.0.7")
	host := func(mac string, addresses ...string) v1alpha1.RemoteHost {
		return v1alpha1.RemoteHost{MACAddress: mac, Addresses: addresses}
	}
	cases := map[string]struct {
		reason     string
		hosts      []v1alpha1.RemoteHost
		macs       []ipam.MAC
		addresses  []netip.Addr
		unreadable int
	}{
		"None":      {"nothing is announced", nil, nil, nil, 0},
		"Both":      {"an address of each family", []v1alpha1.RemoteHost{host(mac.String(), "fd00::7", "10.0.0.7")}, []ipam.MAC{mac}, []netip.Addr{addr, netip.MustParseAddr("fd00::7")}, 0},
		"MACOnly":   {"a route without an address", []v1alpha1.RemoteHost{host(mac.String())}, []ipam.MAC{mac}, nil, 0},
		"Twice":     {"two hosts say they have it", []v1alpha1.RemoteHost{host(mac.String(), "10.0.0.7"), host("0A-58-0A-00-00-07", "10.0.0.7")}, []ipam.MAC{mac}, []netip.Addr{addr}, 0},
		"BadMAC":    {"its addresses are nobody's", []v1alpha1.RemoteHost{host("x", "10.0.0.7"), host("ff:ff:ff:ff:ff:ff"), host("")}, nil, nil, 3},
		"BadText":   {"what is no address", []v1alpha1.RemoteHost{host(mac.String(), "", "10.0.0.7/24", "fe80::1%eth0", strings.Repeat("1", 1000))}, []ipam.MAC{mac}, nil, 4},
		"NoHost":    {"what no host on a network has", []v1alpha1.RemoteHost{host(mac.String(), "255.255.255.255", "ff02::1", "127.0.0.1", "::ffff:10.0.0.7", "0.0.0.0")}, []ipam.MAC{mac}, nil, 5},
		"LinkLocal": {"every host has such an address", []v1alpha1.RemoteHost{host(mac.String(), "fe80::1")}, []ipam.MAC{mac}, []netip.Addr{netip.MustParseAddr("fe80::1")}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			remote := &v1alpha1.L2Remote{Network: "net", Peer: "east", Hosts: tc.hosts}
			for range 2 { // as it is in the API, and as the cache has it
				got, unreadable := announcedBy(remote)
				want := ipam.NewAnnounced("east", tc.macs, tc.addresses)
				if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" || unreadable != tc.unreadable {
					t.Errorf("%s: %d can't be read, want %d (-want +got):\n%s", tc.reason, unreadable, tc.unreadable, diff)
				}
				kept, err := keepRemote(remote)
				if err != nil {
					t.Fatal(err)
				}
				remote = kept.(*keptRemote).Expand().(*v1alpha1.L2Remote)
			}
		})
	}
}

// cachedRemote is a part of what a peer announces, as an edge writes it.
func cachedRemote(i int) client.Object {
	r := &v1alpha1.L2Remote{ObjectMeta: cachedMeta("east", i), Network: fmt.Sprintf("net-%05d", i), Peer: "east"}
	r.Kind, r.APIVersion = "L2Remote", v1alpha1.GroupVersion.String()
	r.OwnerReferences = []metav1.OwnerReference{{APIVersion: r.APIVersion, Kind: "L2Network", Name: r.Network, UID: cachedUID("net", i)}}
	for host := range remoteHosts {
		r.Hosts = append(r.Hosts, v1alpha1.RemoteHost{
			MACAddress: fmt.Sprintf("0a:58:0a:%02x:%02x:%02x", i>>8, i&0xff, host), Addresses: []string{fmt.Sprintf("10.%d.%d.%d", i>>8, i&0xff, host)},
		})
	}
	return r
}

const remoteHosts = 200
