package ipam

import (
	"fmt"
	"testing"
)

// A subnet's size must not matter, and the number of gaps only by its logarithm.
func BenchmarkAllocateRelease(b *testing.B) {
	for _, subnet := range []string{"10.0.0.0/8", "fd00::/64"} {
		for _, gaps := range []int{0, 1_000, 100_000} {
			b.Run(fmt.Sprintf("%s/gaps=%d", subnet, gaps), func(b *testing.B) {
				p := pool(b, []string{subnet}, nil, nil)
				for i := range 2 * gaps {
					if _, err := p.Allocate(fmt.Sprint(i), Request{}); err != nil {
						b.Fatal(err)
					}
				}
				for i := 0; i < 2*gaps; i += 2 {
					p.Release(fmt.Sprint(i))
				}
				b.ResetTimer()
				for b.Loop() {
					if _, err := p.Allocate("bench", Request{}); err != nil {
						b.Fatal(err)
					}
					p.Release("bench")
				}
			})
		}
	}
}

// What a configured pool costs before anybody has an address: 10,000 networks
// have 10,000 of them.
func BenchmarkConfiguredPool(b *testing.B) {
	for name, subnets := range map[string][]string{"layer2": nil, "v4": {"10.0.0.0/16"}, "dual": {"10.0.0.0/16", "fd00::/64"}} {
		b.Run(name, func(b *testing.B) {
			c, err := ParseConfig(subnets, nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := NewPool().Configure(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
