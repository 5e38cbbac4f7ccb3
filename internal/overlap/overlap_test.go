package overlap

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func services(cidr string) Range { return Range{Services, netip.MustParsePrefix(cidr), "kubernetes"} }

func pods(cidr, node string) Range { return Range{Pods, netip.MustParsePrefix(cidr), node} }

func node(addr, name string) Range {
	a := netip.MustParseAddr(addr)
	return Range{Nodes, netip.PrefixFrom(a, a.BitLen()), name}
}

// cluster is one of both families, in no order.
var cluster = []Range{
	pods("10.244.1.0/24", "b"), services("10.96.0.0/16"), pods("10.244.0.0/24", "a"), pods("fd00:244::/64", "a"),
	node("192.168.0.11", "b"), node("192.168.0.10", "a"), services("fd00:96::/112"),
}

func TestFind(t *testing.T) {
	cases := map[string]struct {
		reason  string
		ranges  []Range
		subnets []string
		want    []string
		because string
	}{
		"None":     {"most networks have addresses of their own", cluster, []string{"10.162.0.0/24", "fd10::/64"}, nil, ""},
		"NoSubnet": {"pure layer 2 has no addresses", cluster, nil, nil, ""},
		"NoRange":  {"a cluster may tell nothing", nil, []string{"10.96.0.0/16"}, nil, ""},
		"Same": {"the very range of the Services kills DNS", cluster, []string{"10.96.0.0/16"},
			[]string{`subnet 10.96.0.0/16 overlaps the cluster's Services (10.96.0.0/16 of ServiceCIDR "kubernetes")`}, v1alpha1.ReasonOverlapsServices},
		"Inside": {"a part of a range does harm too", cluster, []string{"10.96.7.0/24"},
			[]string{`subnet 10.96.7.0/24 overlaps the cluster's Services (10.96.0.0/16 of ServiceCIDR "kubernetes")`}, v1alpha1.ReasonOverlapsServices},
		"Before": {"the address before a range is free", cluster, []string{"10.95.255.0/24"}, nil, ""},
		"Behind": {"and the one behind it", cluster, []string{"10.97.0.0/16"}, nil, ""},
		"Around": {"of the many ranges inside of a subnet the first is named", cluster, []string{"10.244.0.0/16"},
			[]string{`subnet 10.244.0.0/16 overlaps the cluster's pods (10.244.0.0/24 of Node "a")`}, v1alpha1.ReasonOverlapsPods},
		"Node": {"a node's address has no neighbours", cluster, []string{"192.168.0.11/32"},
			[]string{`subnet 192.168.0.11/32 overlaps the cluster's nodes (192.168.0.11 of Node "b")`}, v1alpha1.ReasonOverlapsNodes},
		"Every": {"one of each kind is named, the most serious first", cluster, []string{"192.168.0.0/16", "fd00::/16"},
			[]string{
				`subnet fd00::/16 overlaps the cluster's Services (fd00:96::/112 of ServiceCIDR "kubernetes")`,
				`subnet fd00::/16 overlaps the cluster's pods (fd00:244::/64 of Node "a")`,
				`subnet 192.168.0.0/16 overlaps the cluster's nodes (192.168.0.10 of Node "a")`,
			}, v1alpha1.ReasonOverlapsServices},
		"Nested": {"a range inside of another does not hide that", []Range{services("10.0.0.0/8"), services("10.1.0.0/16"), services("10.1.2.0/24")}, []string{"10.200.0.0/16"},
			[]string{`subnet 10.200.0.0/16 overlaps the cluster's Services (10.0.0.0/8 of ServiceCIDR "kubernetes")`}, v1alpha1.ReasonOverlapsServices},
		"Twice": {"of two nodes with one range the first by name is told, whatever the order", []Range{pods("10.0.0.0/24", "z"), pods("10.0.0.0/24", "b")}, []string{"10.0.0.0/16"},
			[]string{`subnet 10.0.0.0/16 overlaps the cluster's pods (10.0.0.0/24 of Node "b")`}, v1alpha1.ReasonOverlapsPods},
		"Family": {"an IPv4 range is inside of no IPv6 subnet", cluster, []string{"fc00::/7"},
			[]string{
				`subnet fc00::/7 overlaps the cluster's Services (fd00:96::/112 of ServiceCIDR "kubernetes")`,
				`subnet fc00::/7 overlaps the cluster's pods (fd00:244::/64 of Node "a")`,
			}, v1alpha1.ReasonOverlapsServices},
		"Unreadable": {"what is no subnet overlaps nothing: it is refused elsewhere", cluster, []string{"10.96.0.0", "10.244.0.0/99"}, nil, ""},
		"HostBits": {"bits behind the prefix do not hide it", cluster, []string{"10.96.3.4/8"},
			[]string{
				`subnet 10.0.0.0/8 overlaps the cluster's Services (10.96.0.0/16 of ServiceCIDR "kubernetes")`,
				`subnet 10.0.0.0/8 overlaps the cluster's pods (10.244.0.0/24 of Node "a")`,
			}, v1alpha1.ReasonOverlapsServices},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := &v1alpha1.L2Network{}
			if tc.subnets != nil {
				network.Spec.IPAM = &v1alpha1.IPAM{Subnets: tc.subnets}
			}
			for range 2 { // in both orders
				found := NewIndex(tc.ranges).Find(network)
				var got []string
				for _, o := range found {
					got = append(got, o.String())
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s: -want +got\n%s", tc.reason, diff)
				}
				if len(found) > 0 && found[0].Reason() != tc.because {
					t.Errorf("%s: reason %s, want %s", tc.reason, found[0].Reason(), tc.because)
				}
				tc.ranges = slices.Clone(tc.ranges)
				slices.Reverse(tc.ranges)
			}
		})
	}
}

// Find says the same as a look at every pair.
func TestFindMissesNothing(t *testing.T) {
	var ranges []Range
	for i := range 200 { // nested, adjacent and equal ones
		bits := 8 + i*7%25
		addr := netip.AddrFrom4([4]byte{10, byte(i * 37), byte(i * 11), byte(i)})
		ranges = append(ranges, Range{Kind(i % int(kinds)), netip.PrefixFrom(addr, 9+bits*2/3).Masked(), fmt.Sprint(i)})
	}
	index := NewIndex(ranges)
	hits := 0
	for i := range 5000 {
		addr := netip.AddrFrom4([4]byte{10, byte(i * 29), byte(i * 17), 0})
		subnet := netip.PrefixFrom(addr, 12+i%13).Masked()
		want := map[Kind]bool{}
		for _, r := range ranges {
			if r.Prefix.Overlaps(subnet) {
				want[r.Kind] = true
			}
		}
		got := map[Kind]bool{}
		for _, o := range index.Find(&v1alpha1.L2Network{Spec: v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{subnet.String()}}}}) {
			got[o.Kind] = true
			if !o.Prefix.Overlaps(subnet) {
				t.Fatalf("%s does not overlap %s", subnet, o.Prefix)
			}
		}
		hits += len(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: -want +got\n%s", subnet, diff)
		}
	}
	if hits == 0 || hits == 5000*int(kinds) {
		t.Errorf("%d of %d overlap: the test has nothing to tell apart", hits, 5000*int(kinds))
	}
}

func TestEqual(t *testing.T) {
	some := NewIndex(cluster)
	turned := slices.Clone(cluster)
	slices.Reverse(turned)
	cases := map[string]struct {
		reason string
		other  *Index
		want   bool
	}{
		"Order":  {"the order in which they were listed says nothing", NewIndex(turned), true},
		"Inner":  {"nor does a range inside of another", NewIndex(append(turned, services("10.96.1.0/24"))), true},
		"More":   {"a node more", NewIndex(append(turned, node("192.168.0.12", "c"))), false},
		"Less":   {"a node less", NewIndex(turned[1:]), false},
		"Object": {"the range is another object's", NewIndex(append(slices.Clone(turned[1:]), Range{Pods, turned[0].Prefix, "z"})), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := some.Equal(tc.other); got != tc.want {
				t.Errorf("%s: got %t, want %t", tc.reason, got, tc.want)
			}
		})
	}
}

// large is a cluster of so many nodes, and a network beside it.
func large(nodes int) (*Index, *v1alpha1.L2Network) {
	ranges := []Range{services("10.96.0.0/16")}
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i)
		ranges = append(ranges,
			Range{Pods, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(128 + i/256), byte(i), 0}), 24), name},
			node(fmt.Sprintf("192.168.%d.%d", i/256, i%256), name))
	}
	network := &v1alpha1.L2Network{Spec: v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.64.0.0/16", "fd10::/64"}}}}
	return NewIndex(ranges), network
}

// A network's reconcile looks at no more ranges for more nodes, but for the
// steps of a binary search, and a network beside them costs no memory.
func TestFindIsCheap(t *testing.T) {
	index, network := large(1000)
	if n := testing.AllocsPerRun(100, func() { index.Find(network) }); n > 0 {
		t.Errorf("%.0f allocations, want none", n)
	}
	looked := func(nodes int) (steps int) {
		index, network := large(nodes)
		index.looked = func() { steps++ }
		index.Find(network)
		return steps
	}
	few, many := looked(10), looked(10_000)
	if extra := 2 * int(kinds) * 10; many > few+extra { // 2^10 times as many
		t.Errorf("%d ranges looked at with 10 nodes, %d with 10,000: want at most %d more", few, many, extra)
	}
}

func BenchmarkFind(b *testing.B) {
	index, network := large(1000)
	b.ReportAllocs()
	for b.Loop() {
		index.Find(network)
	}
}

func BenchmarkNewIndex(b *testing.B) {
	index, _ := large(1000)
	ranges := slices.Concat(index.kinds[:]...)
	for b.Loop() {
		NewIndex(ranges)
	}
}
