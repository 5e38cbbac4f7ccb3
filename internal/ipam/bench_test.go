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
