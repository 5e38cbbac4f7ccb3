//go:build integration

package openflow_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/link/nstest"
	. "l2sm.io/l2sm/internal/openflow"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

const bridge = "br-edge"

// start starts a switch with the bridge, which has no flows.
func start(t testing.TB) *ovstest.OVS {
	t.Helper()
	o := ovstest.Start(t)
	o.Ctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type="+ovstest.Datapath(), "fail_mode=secure")
	return o
}

func dial(t testing.TB, o *ovstest.OVS) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nstest.Patience(10*time.Second))
	defer cancel()
	c, err := Dial(ctx, o.Management(bridge), testr.NewWithInterface(t, testr.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func apply(t testing.TB, c *Conn, changes ...Change) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nstest.Patience(20*time.Second))
	defer cancel()
	if err := c.Apply(ctx, changes); err != nil {
		t.Fatal(err)
	}
}

// flows are the switch's, as ovs-ofctl prints them.
func flows(o *ovstest.OVS) []string {
	var all []string
	for line := range strings.Lines(o.Ofctl("dump-flows", bridge, "--no-stats")) {
		all = append(all, strings.TrimSpace(line))
	}
	slices.Sort(all)
	return all
}

func put(cookie uint64, key Key, next uint8, actions ...Action) PutFlow {
	return PutFlow{Cookie: cookie, Flow: Flow{Key: key, Next: next, Actions: actions}}
}

func TestFlows(t *testing.T) {
	o := start(t)
	c := dial(t, o)
	v4, v6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")
	mac := MAC{0x02, 0xaa, 0, 0, 0, 1}
	apply(t, c,
		PutMeter{ID: 1, Rate: 100}, PutMeter{ID: 2, Rate: 50},
		put(0x10, Key{Priority: 100, Match: Match{InPort: 3}}, 1, SetTunnelID(5001)),
		put(0x10, Key{Priority: 100, Match: Match{InPort: 1, TunnelID: 5001, TunnelSource: v4}}, 0, Output(3)),
		put(0x10, Key{Priority: 100, Match: Match{InPort: 1, TunnelID: 5001, TunnelSource: v6}}, 0, Output(3)),
		put(0x10, Key{Priority: 110, Match: Match{InPort: 1, TunnelID: 5001, Flooded: true}}, 0, Police(2), Settle{}, Output(3)),
		put(0x10, Key{Table: 1, Priority: 20, Match: Match{TunnelID: 5001, Destination: mac}}, 0, SetTunnelDestination(v6), Output(1)),
		put(0x10, Key{Table: 1, Priority: 10, Match: Match{TunnelID: 5001}}, 0,
			Apart{Police(1), SetTunnelDestination(v4), Output(1)}, Apart{Police(2), Output(2)}),
		put(0x11, Key{Priority: 1}, 0),
	)
	want := []string{
		"cookie=0x10, priority=100,in_port=3 actions=set_field:0x1389->tun_id,goto_table:1",
		"cookie=0x10, priority=100,tun_id=0x1389,tun_src=192.0.2.7,in_port=1 actions=output:3",
		"cookie=0x10, priority=100,tun_id=0x1389,tun_ipv6_src=2001:db8::7,in_port=1 actions=output:3",
		"cookie=0x10, priority=110,tun_id=0x1389,in_port=1,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=meter:2,output(port=LOCAL,max_len=14),output:3",
		"cookie=0x10, table=1, priority=10,tun_id=0x1389 actions=clone(meter:1,set_field:192.0.2.7->tun_dst,output:1),clone(meter:2,output:2)",
		"cookie=0x10, table=1, priority=20,tun_id=0x1389,dl_dst=02:aa:00:00:00:01 actions=set_field:2001:db8::7->tun_ipv6_dst,output:1",
		"cookie=0x11, priority=1 actions=drop",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, flows(o)); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	meters := o.Ofctl("dump-meters", bridge)
	for _, part := range []string{"meter=1 pktps burst stats bands=\ntype=drop rate=100 burst_size=100", "meter=2 pktps burst stats bands=\ntype=drop rate=50 burst_size=50"} {
		if !strings.Contains(meters, part) {
			t.Errorf("meters are\n%s, want\n%s", meters, part)
		}
	}

	// One flow takes the place of another, others go, and a meter has another rate.
	apply(t, c,
		put(0x12, Key{Priority: 100, Match: Match{InPort: 3}}, 1, SetTunnelID(5002)),
		DeleteFlow{Priority: 1}, DeleteFlow{Priority: 1, Match: Match{InPort: 99}},
		DeleteFlow{Table: 1, Priority: 20, Match: Match{TunnelID: 5001, Destination: mac}},
		PutMeter{ID: 1, Rate: 7}, DeleteMeter(2), DeleteMeter(88),
	)
	want = []string{
		"cookie=0x10, priority=100,tun_id=0x1389,tun_src=192.0.2.7,in_port=1 actions=output:3",
		"cookie=0x10, priority=100,tun_id=0x1389,tun_ipv6_src=2001:db8::7,in_port=1 actions=output:3",
		"cookie=0x10, table=1, priority=10,tun_id=0x1389 actions=clone(meter:1,set_field:192.0.2.7->tun_dst,output:1),clone(meter:2,output:2)",
		"cookie=0x12, priority=100,in_port=3 actions=set_field:0x138a->tun_id,goto_table:1",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, flows(o)); diff != "" {
		t.Errorf("flows after a change; the flow of meter 2 went with it, that of its copy did not (-want +got):\n%s", diff)
	}
	if meters := o.Ofctl("dump-meters", bridge); !strings.Contains(meters, "rate=7 ") || strings.Contains(meters, "meter=2") {
		t.Errorf("meters are\n%s, want the first with rate 7 and no second", meters)
	}
}

func TestRefusedFlow(t *testing.T) {
	o := start(t)
	c := dial(t, o)
	apply(t, c, put(1, Key{Priority: 1, Match: Match{InPort: 1}}, 0, Output(1)))
	before := flows(o)
	bad := put(1, Key{Priority: 7, Match: Match{TunnelID: 5001}}, 0, Police(77), Settle{}, Output(2))
	foreign := put(1, Key{Table: 254, Match: Match{TunnelID: 5001}}, 0, Output(2))
	var refused *RefusedError
	for reason, bad := range map[string]PutFlow{"of a meter that is not there": bad, "in Open vSwitch's own table": foreign} {
		err := c.Apply(t.Context(), []Change{
			put(1, Key{Priority: 2}, 0, Output(2)),
			DeleteFlow{Priority: 1, Match: Match{InPort: 1}},
			bad,
			put(1, Key{Priority: 3}, 0, Output(3)),
		})
		if !errors.As(err, &refused) || refused.What != bad.String() || !strings.Contains(err.Error(), "tun_id=5001") {
			t.Errorf("Apply with a flow %s = %v, want an error that names it", reason, err)
		}
		if diff := cmp.Diff(before, flows(o)); diff != "" {
			t.Errorf("something of a bundle with a flow %s is in force (-before +after):\n%s", reason, diff)
		}
	}
	apart := bad
	apart.Actions = []Action{Apart{Police(77), Settle{}, Output(2)}}
	if err := c.Apply(t.Context(), []Change{apart}); !errors.As(err, &refused) || refused.What != apart.String() || refused.More != 0 {
		t.Errorf("Apply with such a meter in a copy's actions = %v, want an error that names it, and no more", err)
	}
	apply(t, c, put(1, Key{Priority: 2}, 0, Output(2)))
	if after := flows(o); len(after) != len(before)+1 {
		t.Errorf("the connection is of no use after an error: flows %q", after)
	}
}

func TestSweep(t *testing.T) {
	o := start(t)
	c := dial(t, o)
	const old, now = 0x1_0000_0000, 0x2_0000_0000
	var changes []Change
	for i := range uint64(20) {
		changes = append(changes, put(old+i, Key{Table: uint8(i % 2), Priority: uint16(i)}, 0, Output(1)))
	}
	apply(t, c, changes...)
	apply(t, c, put(now+1, Key{Priority: 2}, 0, Output(2)), put(now+2, Key{Table: 1, Priority: 99}, 0, Output(2)))
	if err := c.Sweep(t.Context(), now, 0xffff_ffff_0000_0000); err != nil {
		t.Fatal(err)
	}
	want := []string{"cookie=0x200000001, priority=2 actions=output:2", "cookie=0x200000002, table=1, priority=99 actions=output:2"}
	if diff := cmp.Diff(want, flows(o)); diff != "" {
		t.Errorf("flows after the predecessor's were swept (-want +got):\n%s", diff)
	}
	if err := c.Sweep(t.Context(), now, 0xffff_ffff_0000_0000); err != nil || len(flows(o)) != len(want) {
		t.Errorf("a sweep of nothing: %v, flows %q", err, flows(o))
	}
}

func TestCounts(t *testing.T) {
	o := start(t)
	c := dial(t, o)
	apply(t, c, PutMeter{ID: 5, Rate: 1}, PutMeter{ID: 6, Rate: 2},
		put(7, Key{Priority: 5, Match: Match{InPort: 1}}, 0, Police(5), Settle{}, Output(2)),
		put(7, Key{Priority: 5, Match: Match{InPort: 2}}, 0, Apart{Police(6), Output(1)}, Output(3)),
		put(8, Key{Priority: 4}, 0))
	const sent = 50
	frame := "ffffffffffff02aa0000000188b5" + strings.Repeat("00", 46)
	for _, port := range []string{"1", "2", "3"} {
		for range sent {
			o.Ofctl("packet-out", bridge, "in_port="+port+",packet="+frame+",actions=resubmit(,0)")
		}
	}
	counts, err := c.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bytes := uint64(len(frame) / 2 * sent)
	if diff := cmp.Diff(map[uint64]Count{7: {Flows: 2, Frames: 2 * sent, Bytes: 2 * bytes}, 8: {Flows: 1, Frames: sent, Bytes: bytes}}, counts); diff != "" {
		t.Errorf("counts by cookie (-want +got):\n%s", diff)
	}
	meters, err := c.Meters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id, meter := range map[string]MeterCount{"one a second": meters[5], "two a second, in a copy's actions": meters[6]} {
		if meter.Frames != sent || meter.Dropped == 0 || meter.Dropped >= sent {
			t.Errorf("the meter of %s has met %+v, want %d frames, all but a few of them dropped", id, meter, sent)
		}
	}
}

func TestRestart(t *testing.T) {
	o := start(t)
	c := dial(t, o)
	apply(t, c, put(1, Key{Priority: 1}, 0, Output(1)))
	o.StopVswitchd()
	select {
	case <-c.Done():
	case <-time.After(nstest.Patience(5 * time.Second)):
		t.Fatal("Done is not closed when ovs-vswitchd has died")
	}
	if err := c.Apply(t.Context(), []Change{DeleteFlow{}}); err == nil {
		t.Error("Apply without a switch succeeds")
	}
	o.StartVswitchd()
	g := gomega.NewWithT(t)
	var again *Conn
	g.Eventually(func() (err error) {
		again, err = Dial(t.Context(), o.Management(bridge), testr.New(t))
		return err
	}, nstest.Patience(10*time.Second), "10ms").Should(gomega.Succeed())
	t.Cleanup(again.Close)
	if left := flows(o); len(left) > 0 {
		t.Errorf("a switch that was restarted has flows: %q", left)
	}
	apply(t, again, put(1, Key{Priority: 1}, 0, Output(1)))
	if len(flows(o)) != 1 {
		t.Error("the flow is not there again")
	}
}

func TestPausedSwitch(t *testing.T) {
	o := start(t)
	c := dial(t, o)
	resume := o.PauseVswitchd()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := c.Apply(ctx, many(20_000)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Apply on a switch that hangs = %v, want the deadline", err)
	}
	if took := time.Since(begun); took > nstest.Patience(2*time.Second) {
		t.Errorf("Apply came back after %s, and had 200 ms", took)
	}
	resume()
}

// many are flows as those of a peer's MAC addresses.
func many(n int) []Change {
	var changes []Change
	for i := range n {
		mac := MAC{2, 0xaa, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		changes = append(changes, put(1, Key{Table: 1, Priority: 20, Match: Match{TunnelID: 5001, Destination: mac}}, 0, Output(1)))
	}
	return changes
}

func TestManyFlows(t *testing.T) {
	o := start(t)
	c := dial(t, o)
	apply(t, c, many(10_000)...)
	counts, err := c.Counts(t.Context())
	if err != nil || counts[1].Flows != 10_000 {
		t.Errorf("%+v, %v, want 10000 flows, in several messages", counts, err)
	}
	if is := regexp.MustCompile(`flow_count=(\d+)`).FindStringSubmatch(o.Ofctl("dump-aggregate", bridge)); len(is) != 2 || is[1] != "10000" {
		t.Errorf("ovs-ofctl counts %q", is)
	}
	// Errors of each of them come faster than they are written.
	bad := many(10_000)
	for i, change := range bad {
		flow := change.(PutFlow)
		flow.Table = 254 // Open vSwitch's own
		bad[i] = flow
	}
	var refused *RefusedError
	if err := c.Apply(t.Context(), bad); !errors.As(err, &refused) || refused.More != len(bad)-1 {
		t.Errorf("Apply of 10000 flows that are refused = %v", err)
	}
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("%dFlows", n), func(b *testing.B) {
			o := start(b)
			c := dial(b, o)
			changes := many(n)
			b.ReportAllocs()
			for b.Loop() {
				apply(b, c, changes...)
			}
		})
	}
}

// A flow that copies frames to as many VTEPs as a network may have is no longer than a message
// may be, and Open vSwitch follows it to its end.
func TestLongFlood(t *testing.T) {
	o := start(t)
	c := dial(t, o)
	o.Ctl("add-port", bridge, "vxlan", "--", "set", "interface", "vxlan", "type=vxlan", "options:remote_ip=flow", "options:key=flow", "ofport_request=1")
	o.Ctl("add-port", bridge, "in", "--", "set", "interface", "in", "type=internal", "ofport_request=3")
	const most = 256 + 16*8 // evpn.MaxVTEPs of fabrics, and the endpoints of the clusters that a network may name
	changes := []Change{put(0x10, Key{Priority: 100, Match: Match{InPort: 3}}, 1, SetTunnelID(5001))}
	var copies []Action
	vtep := netip.MustParseAddr("2001:db8::1")
	for i := range most {
		changes = append(changes, PutMeter{ID: uint32(i + 1), Rate: 100})
		copies = append(copies, Apart{Police(i + 1), SetTunnelDestination(vtep), Output(1)})
		vtep = vtep.Next()
	}
	apply(t, c, append(changes, put(0x10, Key{Table: 1, Priority: 10, Match: Match{TunnelID: 5001}}, 0, copies...))...)
	traced := o.Trace(bridge, "in_port=3,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x0800")
	copied := 0
	for line := range strings.Lines(traced) {
		if strings.TrimSpace(line) == "output:1" {
			copied++
		}
	}
	if copied != most || !strings.Contains(traced, "Datapath actions") {
		t.Errorf("copied to %d, want %d: %s", copied, most, traced[max(0, len(traced)-600):])
	}
}
