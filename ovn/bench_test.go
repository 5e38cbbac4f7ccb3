package ovn

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"l2sm.io/l2sm/ovn/ovntest"
)

func benchmarkNetwork(ports int) Network {
	n := Network{Key: Key{Namespace: "default", Name: "bench"}, UID: "uid-of-network"}
	for i := range ports {
		mac := fmt.Sprintf("0a:58:0a:65:%02x:%02x", i/256, i%256)
		n.Ports = append(n.Ports, Port{
			Name:         fmt.Sprintf("l2sm/default/pod-%d", i),
			Owner:        fmt.Sprintf("uid-of-attachment-%d", i),
			Addresses:    []string{fmt.Sprintf("%s 10.101.%d.%d", mac, i/256, i%256)},
			PortSecurity: []string{fmt.Sprintf("%s 10.101.%d.%d/16", mac, i/256, i%256)},
			Options:      map[string]string{"requested-chassis": "node-1", "iface-id-ver": fmt.Sprintf("uid-of-pod-%d", i)},
		})
	}
	return n
}

// otherNetworks fills the database with so many networks of one port.
func otherNetworks(t testing.TB, client *Client, count int) {
	t.Helper()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := worker; i < count; i += 8 {
				n := benchmarkNetwork(1)
				n.Name = fmt.Sprintf("other-%d", i)
				n.Ports[0].Name = "l2sm/default/" + n.Name
				mustApply(t, client, n)
			}
		})
	}
	all.Wait()
}

func mustApply(t testing.TB, client *Client, n Network) {
	t.Helper()
	if _, err := client.Apply(context.Background(), n); err != nil {
		t.Errorf("Apply(%s): %v", n.Key, err)
	}
}

// onePort adds the last port of the network, or removes it, in turns.
func onePort(t testing.TB, client *Client, n Network, turn int) {
	t.Helper()
	last := n.Ports[len(n.Ports)-1]
	ch := PortChanges{Network: n, Set: []Port{last}}
	ch.Ports = nil
	if turn%2 == 0 {
		ch.Set, ch.Remove = nil, []string{last.Name}
	}
	if _, err := client.ApplyPorts(context.Background(), ch); err != nil {
		t.Errorf("ApplyPorts(%s): %v", n.Key, err)
	}
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

// BenchmarkPorts is the price of one call for a network of so many ports: when
// nothing differs, and when one port is removed and the next time added again.
func BenchmarkPorts(b *testing.B) {
	for _, ports := range []int{100, 1000, 10000} {
		client := dialServer(b, ovntest.NewNorthbound(b))
		n := benchmarkNetwork(ports)
		mustApply(b, client, n)
		b.Run(fmt.Sprintf("same/ports=%d", ports), func(b *testing.B) {
			for b.Loop() {
				mustApply(b, client, n)
			}
		})
		b.Run(fmt.Sprintf("Apply/ports=%d", ports), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				fewer := n
				fewer.Ports = n.Ports[(i+1)%2:]
				mustApply(b, client, fewer)
			}
		})
		mustApply(b, client, n)
		b.Run(fmt.Sprintf("ApplyPorts/ports=%d", ports), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				onePort(b, client, n, i)
			}
		})
	}
}

// BenchmarkNetworks is the price of creating a network of one port, and of
// changing one of its ports, beside so many others.
func BenchmarkNetworks(b *testing.B) {
	for _, networks := range []int{100, 1000, 10000} {
		client := dialServer(b, ovntest.NewNorthbound(b))
		otherNetworks(b, client, networks)
		n := benchmarkNetwork(1)
		b.Run(fmt.Sprintf("Apply/networks=%d", networks), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				created := n
				created.Name = fmt.Sprintf("new-%d-%d", b.N, i)
				created.Ports = nil
				mustApply(b, client, created)
			}
		})
		mustApply(b, client, n)
		b.Run(fmt.Sprintf("ApplyPorts/networks=%d", networks), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				onePort(b, client, n, i)
			}
		})
	}
}
