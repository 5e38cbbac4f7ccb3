package ipam

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func pool(t testing.TB, subnets, ranges, excluded []string) *Pool {
	t.Helper()
	c, err := ParseConfig(subnets, ranges, excluded)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPool()
	if err := p.Configure(c); err != nil {
		t.Fatal(err)
	}
	return p
}

// request reads a MAC (or "") and addresses with or without length.
func request(t testing.TB, mac string, addresses ...string) Request {
	t.Helper()
	r := Request{}
	if mac != "" {
		m, err := ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		r.MAC = m
	}
	for _, text := range addresses {
		if a, err := netip.ParseAddr(text); err == nil {
			r.Addresses = append(r.Addresses, netip.PrefixFrom(a, -1))
			continue
		}
		r.Addresses = append(r.Addresses, netip.MustParsePrefix(text))
	}
	return r
}

func texts(l Lease) []string {
	all := []string{l.MAC.String()}
	for _, a := range l.Addresses {
		all = append(all, a.String())
	}
	return all
}

func TestAllocate(t *testing.T) {
	cases := map[string]struct {
		reason                    string
		subnets, ranges, excluded []string
		request                   Request
		want                      []string
	}{
		"FirstOfSubnet": {
			"the network's address is no host's, and the MAC shows the address",
			[]string{"10.101.0.0/16"}, nil, nil, Request{},
			[]string{"0a:58:0a:65:00:01", "10.101.0.1/16"},
		},
		"Excluded": {
			"excluded addresses are skipped in each form",
			[]string{"10.0.0.0/24"}, nil, []string{"10.0.0.0/30", "10.0.0.4-10.0.0.6", "10.0.0.7"}, Request{},
			[]string{"0a:58:0a:00:00:08", "10.0.0.8/24"},
		},
		"DualStack": {
			"one address of each family, IPv4 first, whatever the order of subnets",
			[]string{"fd00::/64", "10.0.0.0/24"}, nil, nil, Request{},
			[]string{"0a:58:0a:00:00:01", "10.0.0.1/24", "fd00::1/64"},
		},
		"V6Only": {
			"without an IPv4 address the MAC is a hash of the owner",
			[]string{"fd00::/64"}, nil, nil, Request{},
			[]string{"0a:58:17:5b:79:5e", "fd00::1/64"},
		},
		"PureLayer2": {
			"a network without ipam assigns a MAC only",
			nil, nil, nil, Request{},
			[]string{"0a:58:17:5b:79:5e"},
		},
		"PureLayer2Static": {
			"static addresses are honoured on a network without ipam",
			nil, nil, nil, request(t, "", "192.168.12.1/30"),
			[]string{"0a:58:c0:a8:0c:01", "192.168.12.1/30"},
		},
		"Static": {
			"what is asked for is granted, and the other family is assigned",
			[]string{"10.0.0.0/24", "fd00::/64"}, nil, nil, request(t, "02:00:00:00:00:01", "10.0.0.77"),
			[]string{"02:00:00:00:00:01", "10.0.0.77/24", "fd00::1/64"},
		},
		"RangeInCIDR": {
			"a range in CIDR notation is not assigned from its ends; the length stays the subnet's",
			[]string{"10.101.0.0/16"}, []string{"10.101.2.0/24"}, nil, Request{},
			[]string{"0a:58:0a:65:02:01", "10.101.2.1/16"},
		},
		"RangeFirstLast": {
			"a range from first to last means both",
			[]string{"10.101.0.0/16"}, []string{"10.101.2.0-10.101.2.255"}, nil, Request{},
			[]string{"0a:58:0a:65:02:00", "10.101.2.0/16"},
		},
		"EndOfRangeInCIDR": {
			"a request may name the end of a range in CIDR notation",
			[]string{"10.101.0.0/16"}, []string{"10.101.2.0/24"}, nil, request(t, "", "10.101.2.255"),
			[]string{"0a:58:0a:65:02:ff", "10.101.2.255/16"},
		},
		"StaticOutsideRanges": {
			"ranges are what is chosen from; a person may ask for more of the subnet",
			[]string{"10.0.0.0/24"}, []string{"10.0.0.128/25"}, nil, request(t, "", "10.0.0.5/24"),
			[]string{"0a:58:0a:00:00:05", "10.0.0.5/24"},
		},
		"PointToPoint": {
			"both addresses of a /31 are hosts' (RFC 3021)",
			[]string{"10.0.0.0/31"}, nil, nil, Request{},
			[]string{"0a:58:0a:00:00:00", "10.0.0.0/31"},
		},
		"PointToPoint6": {
			"both addresses of a /127 are hosts' (RFC 6164)",
			[]string{"fd00::/127"}, nil, nil, Request{},
			[]string{"0a:58:17:5b:79:5e", "fd00::/127"},
		},
		"Host": {
			"a /32 is one host",
			[]string{"10.0.0.9/32"}, nil, nil, Request{},
			[]string{"0a:58:0a:00:00:09", "10.0.0.9/32"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			lease, err := pool(t, tc.subnets, tc.ranges, tc.excluded).Allocate("default/ping", tc.request)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, texts(lease)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAllocateRefuses(t *testing.T) {
	v4 := []string{"10.0.0.0/24"}
	cases := map[string]struct {
		reason   string
		subnets  []string
		excluded []string
		request  Request
		want     error
	}{
		"Taken": {
			"the message names who has the address",
			v4, nil, request(t, "", "10.0.0.50"),
			&AddressTakenError{netip.MustParseAddr("10.0.0.50"), "default/holder"},
		},
		"MACTaken": {
			"two equal MACs on a segment break both",
			v4, nil, request(t, "02:00:00:00:00:99"),
			&MACTakenError{MAC{2, 0, 0, 0, 0, 0x99}, "default/holder"},
		},
		"Outside": {
			"an address of another subnet reaches nobody",
			v4, nil, request(t, "", "10.0.1.1/24"),
			&OutOfRangeError{netip.MustParseAddr("10.0.1.1"), "is outside the network's subnet 10.0.0.0/24"},
		},
		"OtherFamily": {
			"a network without that family has no address of it",
			v4, nil, request(t, "", "fd00::1"),
			&OutOfRangeError{netip.MustParseAddr("fd00::1"), "is outside the network's subnet 10.0.0.0/24"},
		},
		"Network": {
			"the network address is no host's",
			v4, nil, request(t, "", "10.0.0.0"),
			&OutOfRangeError{netip.MustParseAddr("10.0.0.0"), "is no host's in subnet 10.0.0.0/24"},
		},
		"Broadcast": {
			"nor is the broadcast address",
			v4, nil, request(t, "", "10.0.0.255"),
			&OutOfRangeError{netip.MustParseAddr("10.0.0.255"), "is no host's in subnet 10.0.0.0/24"},
		},
		"RouterAnycast": {
			"nor is the subnet-router anycast address",
			[]string{"fd00::/64"}, nil, request(t, "", "fd00::"),
			&OutOfRangeError{netip.MustParseAddr("fd00::"), "is no host's in subnet fd00::/64"},
		},
		"Excluded": {
			"exclusions hold for requests too",
			v4, []string{"10.0.0.1-10.0.0.9"}, request(t, "", "10.0.0.5"),
			&OutOfRangeError{netip.MustParseAddr("10.0.0.5"), "is among the network's excluded addresses"},
		},
		"OtherLength": {
			"another length would cut the pod off from part of the network",
			v4, nil, request(t, "", "10.0.0.5/16"),
			&RequestError{"address 10.0.0.5/16 is in subnet 10.0.0.0/24: write 10.0.0.5/24 or leave the length out"},
		},
		"NoLength": {
			"without ipam nobody knows the length",
			nil, nil, request(t, "", "10.0.0.5"),
			&RequestError{"address 10.0.0.5 needs a prefix length on a network without ipam, such as 10.0.0.5/24"},
		},
		"TwoOfOneFamily": {
			"an interface has one address of a family",
			v4, nil, request(t, "", "10.0.0.5", "10.0.0.6"),
			&RequestError{"address 10.0.0.6 is the second one of its family"},
		},
		"Exhausted": {
			"a full subnet says so",
			[]string{"10.0.0.50/32"}, nil, Request{},
			&ExhaustedError{netip.MustParsePrefix("10.0.0.50/32")},
		},
		"HalfExhausted": {
			"a dual stack request that one family can't serve takes nothing of the other",
			[]string{"10.0.0.50/32", "fd00::/64"}, nil, Request{},
			&ExhaustedError{netip.MustParsePrefix("10.0.0.50/32")},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := pool(t, tc.subnets, nil, tc.excluded)
			held := Lease{MAC{2, 0, 0, 0, 0, 0x99}, []netip.Prefix{netip.MustParsePrefix("10.0.0.50/24")}}
			if err := p.Hold("default/holder", held); err != nil {
				t.Fatal(err)
			}
			_, err := p.Allocate("default/ping", tc.request)
			if diff := cmp.Diff(tc.want, err, byAddr); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff([]string{"default/holder"}, p.Owners()); diff != "" {
				t.Errorf("a refused request holds something: -want +got\n%s", diff)
			}
			if p.Len() != 1 {
				t.Errorf("a refused request left %v", p.leases)
			}
		})
	}
}

func TestAllocateAgainKeepsTheLease(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/24"}, nil, nil)
	first, _ := p.Allocate("default/ping", Request{})
	again, err := p.Allocate("default/ping", request(t, "", "10.0.0.9"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts(first), texts(again)); diff != "" {
		t.Errorf("an owner has one lease: -want +got\n%s", diff)
	}
}

func TestSatisfies(t *testing.T) {
	lease := Lease{MAC{2, 0, 0, 0, 0, 1}, []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24"), netip.MustParsePrefix("fd00::5/64")}}
	cases := map[string]struct {
		reason  string
		request Request
		want    bool
	}{
		"Anything":     {"who asks for nothing takes anything", Request{}, true},
		"Same":         {"exactly this", request(t, "02:00:00:00:00:01", "10.0.0.5/24", "fd00::5"), true},
		"OneFamily":    {"the other family was left open", request(t, "", "fd00::5"), true},
		"OtherAddress": {"another address", request(t, "", "10.0.0.6"), false},
		"OtherMAC":     {"another MAC", request(t, "02:00:00:00:00:02"), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := lease.Satisfies(tc.request); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}

func TestReleasedAddressRests(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/29"}, nil, nil) // .1 to .6
	var got []string
	for _, owner := range []string{"a", "b", "c", "d", "e", "f"} {
		lease, err := p.Allocate(owner, Request{})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, lease.Addresses[0].Addr().String())
		p.Release(owner)
	}
	lease, err := p.Allocate("g", Request{})
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, lease.Addresses[0].Addr().String())
	want := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("neighbours still have a released address's old MAC: -want +got\n%s", diff)
	}
}

func TestMACCollisions(t *testing.T) {
	first, second := NewPool(), NewPool()
	for _, p := range []*Pool{first, second} {
		for _, taken := range []MAC{macFor("default/ping", 0), macOf(netip.MustParseAddr("10.0.0.5"))} {
			if err := p.Hold(taken.String(), Lease{MAC: taken}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, r := range map[string]Request{"Hash": {}, "Address": request(t, "", "10.0.0.5/24")} {
		t.Run(name, func(t *testing.T) {
			a, err := first.Allocate("default/ping", r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := second.Allocate("default/ping", r)
			if a.MAC != b.MAC || a.MAC != macFor("default/ping", 1) {
				t.Errorf("got %s and %s, want %s twice: a collision is resolved the same way always", a.MAC, b.MAC, macFor("default/ping", 1))
			}
			first.Release("default/ping")
			second.Release("default/ping")
		})
	}
}

func TestConfigure(t *testing.T) {
	cases := map[string]struct {
		reason           string
		ranges, excluded []string
		stranded         []string
	}{
		"Wider":            {"more room harms nobody", nil, nil, nil},
		"NarrowerFree":     {"a narrowing around the holders is fine", []string{"10.0.0.128-10.0.0.140"}, nil, nil},
		"NarrowerInUse":    {"an assigned address may not fall out of the ranges", []string{"10.0.0.200-10.0.0.210"}, nil, []string{"default/assigned (10.0.0.129)"}},
		"ExcludedInUse":    {"an address in use may not be excluded, granted or assigned", nil, []string{"10.0.0.0/24"}, []string{"default/assigned (10.0.0.129)", "default/static (10.0.0.5)"}},
		"ExcludedUnused":   {"an unused one may", []string{"10.0.0.128/25"}, []string{"10.0.0.200"}, nil},
		"StaticWasOutside": {"a static address that never was in the ranges is not stranded by them", []string{"10.0.0.128/26"}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := pool(t, []string{"10.0.0.0/24"}, []string{"10.0.0.128/25"}, nil)
			if _, err := p.Allocate("default/assigned", Request{}); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Allocate("default/static", request(t, "", "10.0.0.5")); err != nil {
				t.Fatal(err)
			}
			before := p.Config()
			c, err := ParseConfig([]string{"10.0.0.0/24"}, tc.ranges, tc.excluded)
			if err != nil {
				t.Fatal(err)
			}

			err = p.Configure(c)

			want := c
			if tc.stranded != nil {
				want = before
			}
			stranded := &StrandedError{}
			errors.As(err, &stranded)
			if diff := cmp.Diff(tc.stranded, stranded.Holders); diff != "" {
				t.Errorf("%s: holders: -want +got\n%s", tc.reason, diff)
			}
			if !equal(want, p.Config()) {
				t.Errorf("%s: in force is %v, want %v", tc.reason, p.Config(), want)
			}
			for n := range 250 {
				lease, err := p.Allocate(fmt.Sprintf("default/%d", n), Request{})
				if exhausted := (*ExhaustedError)(nil); errors.As(err, &exhausted) {
					break
				}
				if err != nil {
					t.Fatalf("%s: an address in use was chosen again: %v", tc.reason, err)
				}
				if addr := lease.Addresses[0].Addr().String(); addr == "10.0.0.5" || addr == "10.0.0.129" {
					t.Fatalf("%s: %s was handed out twice", tc.reason, addr)
				}
			}
		})
	}
}

func TestHold(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/24"}, nil, nil)
	old := Lease{MAC{2, 0, 0, 0, 0, 1}, []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}
	if err := p.Hold("default/old", old); err != nil {
		t.Errorf("what is recorded as in use is in use, inside the subnet or not: %v", err)
	}
	moved := Lease{MAC{2, 0, 0, 0, 0, 1}, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}
	if err := p.Hold("default/old", moved); err != nil {
		t.Errorf("an owner's lease may be replaced: %v", err)
	}
	if _, held := p.leases.holder(netip.MustParseAddr("192.0.2.1")); held {
		t.Error("a replaced lease still holds its address")
	}
	if err := p.Hold("default/second", moved); err == nil {
		t.Error("two owners hold one address")
	}
}
