package link

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func interfaceOf(name string, addresses ...string) Interface {
	is := Interface{Name: name}
	for _, a := range addresses {
		is.Addresses = append(is.Addresses, netip.MustParsePrefix(a))
	}
	return is
}

func TestLanes(t *testing.T) {
	cases := map[string]struct {
		reason     string
		interfaces []Interface
		want       []string
	}{
		"Alone":     {"the main table says all", []Interface{interfaceOf("net1", "10.0.0.1/24", "fd10::1/64")}, nil},
		"Apart":     {"so it does for other subnets", []Interface{interfaceOf("net1", "10.0.0.1/24"), interfaceOf("net2", "10.0.1.1/24", "fd10::1/64")}, nil},
		"OneSubnet": {"both answer by themselves", []Interface{interfaceOf("net1", "10.0.0.1/24", "fd10::1/64"), interfaceOf("net2", "10.0.0.2/24", "fd11::1/64")}, []string{"10.0.0.1 net1 10.0.0.0/24", "10.0.0.2 net2 10.0.0.0/24"}},
		"IPv6":      {"a family is looked at by itself", []Interface{interfaceOf("net1", "10.0.0.1/24", "fd10::1/64"), interfaceOf("net2", "fd10::2/64")}, []string{"fd10::1 net1 fd10::/64", "fd10::2 net2 fd10::/64"}},
		"Within":    {"a subnet within another one is the more specific route", []Interface{interfaceOf("net1", "10.0.0.1/16"), interfaceOf("net2", "10.0.7.2/24")}, []string{"10.0.0.1 net1 10.0.0.0/16", "10.0.7.2 net2 10.0.7.0/24"}},
		"SameTwice": {"an address on both tells nothing", []Interface{interfaceOf("net1", "10.0.0.1/24"), interfaceOf("net2", "10.0.0.1/24")}, nil},
		"Third":     {"the others are steered all the same", []Interface{interfaceOf("net1", "10.0.0.1/24"), interfaceOf("net2", "10.0.0.1/24"), interfaceOf("net3", "10.0.0.3/24")}, []string{"10.0.0.3 net3 10.0.0.0/24"}},
		"PureLayer": {"without addresses there is nothing to steer", []Interface{interfaceOf("net1"), interfaceOf("net2", "10.0.0.2/24")}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, l := range lanes(tc.interfaces) {
				got = append(got, l.address.String()+" "+l.iface+" "+l.subnet.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
