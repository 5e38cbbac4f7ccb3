package ovn

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/heaptest"
	"l2sm.io/l2sm/ovn/ovntest"
)

// What a client keeps of a network with one port is little: the controller has
// 10,000 of them in 150 MiB, with all else that it knows of them. It was 5,000
// bytes when rows, indexes and what was applied were kept as they came; 200 are
// its guard's.
func TestNetworkIsSmall(t *testing.T) {
	const count, most = 2_000, 1_850
	client := dialServer(t, ovntest.NewNorthbound(t))
	go func() {
		for range client.Changes() { // as somebody must
		}
	}()
	mustApply(t, client, numberedNetwork(count))

	each := heaptest.Retained(func() {
		for i := range count {
			mustApply(t, client, numberedNetwork(i))
		}
		NewWithT(t).Eventually(client.changes.pending, 10*time.Second, time.Millisecond).Should(BeZero(), "networks to be looked at")
	}) / count
	if each > most {
		t.Errorf("a network with one port holds %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(client)
}

func (c *changes) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.suspects)
}

// To create a network with one port is little work: there are 10,000 when a
// cluster is restored. It was 820 allocations of 50,500 bytes, 400 of them to
// read what ovsdb-server sends, and before networks had a guard, which is 200 of
// them.
func TestNewNetworkIsLittleWork(t *testing.T) {
	client := dialServer(t, ovntest.NewNorthbound(t))
	go func() {
		for range client.Changes() { // as somebody must
		}
	}()
	got := costOf(func(turn int) { mustApply(t, client, numberedNetwork(turn)) })
	if got.allocations > 980 || got.bytes > 61_000 {
		t.Errorf("a new network costs %d allocations of %d bytes, want at most 980 of 61,000", got.allocations, got.bytes)
	}
}

// To read a database takes several times the memory of its rows, with 10,000
// networks 110 MB. It is given back, not kept for the next time.
func TestReadingGivesMemoryBack(t *testing.T) {
	const count, most = 2_000, 16 << 20
	server := ovntest.NewNorthbound(t)
	filler := dialServer(t, server)
	for i := range count {
		mustApply(t, filler, numberedNetwork(i))
	}
	resident := func() int {
		stats := runtime.MemStats{}
		runtime.ReadMemStats(&stats)
		return int(stats.HeapSys - stats.HeapReleased)
	}

	debug.FreeOSMemory()
	before := resident()
	if _, err := dialServer(t, server).conn.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := func() int { return resident() - before }
	NewWithT(t).Eventually(kept, 3*time.Second, 100*time.Millisecond).Should(BeNumerically("<", most), "bytes that the heap has more")
}

// What a burst of events took is given back: a map does not shrink, and to find
// the last elements of a large one takes as long as it is large.
func TestSuspectsAreGivenBack(t *testing.T) {
	const count, most = 20_000, 100_000
	c := newChanges()
	left := heaptest.Retained(func() {
		for i := range count {
			c.suspect(Key{Namespace: "default", Name: fmt.Sprint(i)}, suspicion{})
		}
		for range count {
			c.next()
		}
	})
	if n := c.pending(); n > 0 || left > most {
		t.Errorf("%d of %d networks are left to be looked at, and %d bytes, want at most %d", n, count, left, most)
	}
	runtime.KeepAlive(c)
}

// numberedNetwork is the i-th of many networks, of one port, with strings of
// its own, as the API server's objects have them.
func numberedNetwork(i int) Network {
	mac := fmt.Sprintf("0a:58:0a:65:%02x:%02x", i/256, i%256)
	ip := fmt.Sprintf("10.101.%d.%d", i/256, i%256)
	return Network{
		Key:   Key{Namespace: fmt.Sprintf("tenant-%d", i%100), Name: fmt.Sprintf("network-%d", i)},
		UID:   fmt.Sprintf("5f0c2f39-8a7b-4f0e-9d7d-%012d", i),
		Guard: strings.Repeat("icmp6.type == {134, 137} || ", 8) + "udp.src == 67",
		Ports: []Port{{
			Name:         fmt.Sprintf("l2sm/tenant-%d/pod-%d-network", i%100, i),
			Owner:        fmt.Sprintf("8c9d1f52-15b6-4b7c-8a33-%012d", i),
			Addresses:    []string{mac + " " + ip},
			PortSecurity: []string{mac + " " + ip + "/16"},
			Options:      map[string]string{"requested-chassis": fmt.Sprintf("node-%d", i%100), "iface-id-ver": fmt.Sprintf("1b1c5a4c-0f5f-4a05-93bb-%012d", i)},
		}},
	}
}
