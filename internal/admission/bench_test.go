package admission

import (
	"fmt"
	"testing"
)

// What a look at an attachment costs that has its lease already: most looks are
// such.
func BenchmarkTake(b *testing.B) {
	for _, members := range []int{1, 1_000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			n := net("net", "10.0.0.0/16", "fd00::/64")
			l, _ := opened(n)
			for i := range members {
				if err := adopt(l, n, holds(waiter(i), "w", "net", mac(i), netipOf(i+1)+"/16", fmt.Sprintf("fd00::%x/64", i+1))); err != nil {
					b.Fatal(err)
				}
			}
			ask := Ask{Network: n, Attachment: holds(waiter(0), "w", "net", mac(0), netipOf(1)+"/16", "fd00::1/64")}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Take(ask); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
