package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/e2e/lab"
)

func stormCommand() *cobra.Command {
	o := scene{}
	cmd := &cobra.Command{
		Use:   "storm",
		Short: "Measure what a broadcast storm on one network does to another",
		Long: `One pod sends broadcasts on its network as fast as it can, for three seconds
of every six. Between two pods of another network, on the same nodes, a ping runs
every 10 ms. Prints what the pings lost and how long they took, with the storm and
without. The storm needs no capability: it is UDP to the network's broadcast
address.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.storm(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.flags(cmd, 10, "storms")
	return cmd
}

const (
	stormSpan = 3 * time.Second
	// stormSettles is how long after a storm's beginning or end pings do not count.
	stormSettles = 300 * time.Millisecond
)

func (o scene) storm(ctx context.Context, out io.Writer) error {
	if err := o.open(ctx, "bench-storm"); err != nil {
		return err
	}
	defer o.end()
	for name, subnet := range map[string]string{"loud": "10.96.128.0/24", "calm": "10.97.128.0/24"} {
		if err := o.network(ctx, name, subnet); err != nil {
			return err
		}
	}
	for _, p := range []scenePod{
		{"storms", `[{"name":"loud","ips":["10.96.128.1"]}]`, 0}, {"hears-near", "loud", 0}, {"hears-far", "loud", 1},
		{"asks", `[{"name":"calm","ips":["10.97.128.1"]}]`, 0}, {"answers", `[{"name":"calm","ips":["10.97.128.2"]}]`, 1},
	} {
		if err := o.pod(ctx, p); err != nil {
			return err
		}
	}
	loud, err := broadcaster(ctx, o.lab, o.namespace, "storms", netip.MustParseAddrPort("10.96.128.255:9"))
	if err != nil {
		return err
	}
	defer func() { _ = loud.Close() }()
	asks, err := podNetns(ctx, o.lab, o.namespace, "asks")
	if err != nil {
		return err
	}
	defer func() { _ = asks.Close() }()
	conn, err := listen(asks, "net1", netip.MustParseAddr("10.97.128.1"))
	if err != nil {
		return err
	}
	s := &stream{conn: conn, to: netip.MustParseAddr("10.97.128.2")}
	streaming, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.run(streaming, moveInterval) }()

	var calm, stormy []time.Time
	frames := 0
	for i := range o.count {
		fmt.Fprintf(out, "storm: %d of %d\n", i+1, o.count)
		calm = append(calm, time.Now())
		if err := sleep(ctx, stormSpan); err != nil {
			return err
		}
		stormy = append(stormy, time.Now())
		frames += flood(ctx, loud, stormSpan)
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	return o.printStorms(out, s, calm, stormy, float64(frames)/(float64(o.count)*stormSpan.Seconds()))
}

func (o scene) printStorms(out io.Writer, s *stream, calm, stormy []time.Time, rate float64) error {
	before, during := s.tripsAfter(calm), s.tripsAfter(stormy)
	b, d := summarize(before.trips), summarize(during.trips)
	fmt.Fprintf(out, "\n%.0f broadcasts a second on another network\n", rate)
	fmt.Fprintf(out, "pings without the storm: %d of %d lost, ms: p50 %.2f, p99 %.2f\n", before.lost, before.sent, b.P50, b.P99)
	fmt.Fprintf(out, "pings during it:         %d of %d lost, ms: p50 %.2f, p99 %.2f (%.1f and %.1f times as long)\n",
		during.lost, during.sent, d.P50, d.P99, d.P50/b.P50, d.P99/b.P99)
	return writeJSON(o.json, d)
}

// broadcaster is an ordinary UDP socket of a pod.
func broadcaster(ctx context.Context, l *lab.Lab, namespace, pod string, to netip.AddrPort) (*net.UDPConn, error) {
	netns, err := podNetns(ctx, l, namespace, pod)
	if err != nil {
		return nil, err
	}
	defer func() { _ = netns.Close() }()
	var conn *net.UDPConn
	return conn, netns.Do(func(ns.NetNS) error {
		conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to)) // Go allows every UDP socket to broadcast
		return err
	})
}

// flood sends for that long, and says how many frames it sent.
func flood(ctx context.Context, conn *net.UDPConn, span time.Duration) int {
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	frame, sent := make([]byte, 64), 0
	for ctx.Err() == nil {
		if _, err := conn.Write(frame); err == nil {
			sent++
		} else if !errors.Is(err, unix.ENOBUFS) {
			return sent
		}
	}
	return sent
}
