package ovn

import (
	"context"
	"fmt"
	"testing"

	"l2sm.io/l2sm/ovn/ovntest"
)

func benchmarkNetwork(ports int) Network {
	n := Network{Key: Key{Namespace: "default", Name: "bench"}, UID: "uid-of-network"}
	for i := range ports {
		mac := fmt.Sprintf("0a:58:0a:65:%02x:%02x", i/256, i%256)
		n.Ports = append(n.Ports, Port{
			Name:         PortName("default", fmt.Sprintf("pod-%d", i)),
			Owner:        fmt.Sprintf("uid-of-attachment-%d", i),
			Addresses:    []string{fmt.Sprintf("%s 10.101.%d.%d", mac, i/256, i%256)},
			PortSecurity: []string{fmt.Sprintf("%s 10.101.%d.%d/16", mac, i/256, i%256)},
		})
	}
	return n
}

// BenchmarkDiff is the price of finding that nothing differs.
func BenchmarkDiff(b *testing.B) {
	for _, ports := range []int{10, 1000} {
		b.Run(fmt.Sprintf("ports=%d", ports), func(b *testing.B) {
			n := benchmarkNetwork(ports)
			actual := holding(n)
			for b.Loop() {
				if plan, err := diff(n, actual); err != nil || !plan.Empty() {
					b.Fatalf("plan %+v, error %v", plan, err)
				}
			}
		})
	}
}

// BenchmarkApply is the price of one call of Apply for a network of so many
// ports: when nothing differs, and when one port is added and the next time
// removed again.
func BenchmarkApply(b *testing.B) {
	for _, ports := range []int{10, 1000} {
		server := ovntest.NewNorthbound(b)
		client, err := Dial(context.Background(), Config{Endpoints: []string{server.Endpoint()}})
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()

		n := benchmarkNetwork(ports)
		apply := func(b *testing.B, n Network) {
			if _, err := client.Apply(context.Background(), n); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("same/ports=%d", ports), func(b *testing.B) {
			apply(b, n)
			for b.Loop() {
				apply(b, n)
			}
		})
		b.Run(fmt.Sprintf("onePort/ports=%d", ports), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				fewer := n
				fewer.Ports = n.Ports[i%2:]
				apply(b, fewer)
			}
		})
	}
}
