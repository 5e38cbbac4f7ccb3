package edge

import (
	"context"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/openflow"
)

// scrapeWithin bounds what a scrape asks Open vSwitch for.
const scrapeWithin = 2 * time.Second

var (
	sessionUp = prometheus.NewDesc("l2sm_edge_session_up",
		"Whether the BGP session with an endpoint of a peer is established.", []string{"peer", "endpoint"}, nil)
	reachable = prometheus.NewDesc("l2sm_edge_reachable",
		"Whether BFD sees frames arrive both ways on the tunnel to an endpoint of a peer.", []string{"peer", "endpoint"}, nil)
	received = prometheus.NewDesc("l2sm_edge_routes_received",
		"Routes that an endpoint announces now.", []string{"peer", "endpoint"}, nil)
	leftOut = prometheus.NewDesc("l2sm_edge_routes_left_out",
		"Routes that an endpoint announces now and that are not followed, by reason.", []string{"peer", "endpoint", "reason"}, nil)
	malformed = prometheus.NewDesc("l2sm_edge_routes_dropped_total",
		"Routes of an endpoint that were dropped as they came, by reason.", []string{"peer", "endpoint", "reason"}, nil)
	sent = prometheus.NewDesc("l2sm_edge_routes_sent",
		"Routes that are announced to a peer.", []string{"peer"}, nil)
	macs = prometheus.NewDesc("l2sm_edge_macs",
		"MAC addresses that a peer announces on all networks and that are followed.", []string{"peer"}, nil)
	carriedHere = prometheus.NewDesc("l2sm_edge_networks",
		"Networks whose port is bound to this node.", nil, nil)
	frames = prometheus.NewDesc("l2sm_edge_frames_total",
		"Frames from (in), and to MAC addresses behind (out), a peer, since the flows that count them were written.", []string{"peer", "direction"}, nil)
	bytesSeen = prometheus.NewDesc("l2sm_edge_bytes_total",
		"Bytes of these frames.", []string{"peer", "direction"}, nil)
	dropped = prometheus.NewDesc("l2sm_edge_frames_dropped_total",
		"Frames that were dropped: flooded by a peer (in) or to it (out) on a network above its floodRate (FloodRate), or from a tunnel for no network of its sender (NotAgreed; no peer).", []string{"peer", "direction", "reason"}, nil)
)

// collector tells what there is at the time of a scrape.
type collector struct{ *Edge }

// Describe is prometheus.Collector's.
func (collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessionUp, reachable, received, leftOut, malformed, sent, macs, carriedHere, frames, bytesSeen, dropped} {
		out <- d
	}
}

// Collect is prometheus.Collector's.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, p := range c.cache.L2Peers() {
		c.peer(out, p)
	}
	c.mu.Lock()
	here := 0
	for _, n := range c.networks {
		if c.portOf(n) != 0 {
			here++
		}
	}
	conn, names, policed := c.conn, c.cookieNames(), c.policed()
	c.mu.Unlock()
	gauge(out, carriedHere, float64(here))
	if conn != nil {
		c.counts(out, conn, names, policed)
	}
}

func (c collector) peer(out chan<- prometheus.Metric, p *v1alpha1.L2Peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := 0
	for vni := range c.byVNI {
		all += c.table.Status(p.Name, vni).MACs
	}
	gauge(out, macs, float64(all), p.Name)
	if c.speaker != nil {
		gauge(out, sent, float64(c.speaker.Sent(p.Name)), p.Name)
	}
	r := c.reach()
	for _, s := range c.sessionsOf(p) {
		gauge(out, sessionUp, number(s.Established), p.Name, s.Address)
		if s.Reachable != nil {
			gauge(out, reachable, number(*s.Reachable), p.Name, s.Address)
		}
		outside, err := netip.ParseAddr(s.Address)
		if err != nil {
			continue
		}
		address := r.to(outside.Unmap())
		routes, left := c.table.Left(address)
		gauge(out, received, float64(routes), p.Name, s.Address)
		for reason, n := range left {
			gauge(out, leftOut, float64(n), p.Name, s.Address, string(reason))
		}
		if c.speaker != nil {
			for reason, n := range c.speaker.Dropped(address) {
				counter(out, malformed, float64(n), p.Name, s.Address, string(reason))
			}
		}
	}
}

// counts asks Open vSwitch.
func (c collector) counts(out chan<- prometheus.Metric, conn *openflow.Conn, names map[uint64]direction, policed map[uint32]direction) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
	defer cancel()
	flows, err := conn.Counts(ctx)
	if err != nil {
		c.log.Info("Cannot read the counts of flows for a scrape", "error", err.Error())
		return
	}
	for cookie, n := range flows {
		d, known := names[cookie]
		switch {
		case !known:
		case d.refused:
			counter(out, dropped, float64(n.Frames), "", "in", "NotAgreed")
		default:
			counter(out, frames, float64(n.Frames), d.peer, d.name)
			counter(out, bytesSeen, float64(n.Bytes), d.peer, d.name)
		}
	}
	meters, err := conn.Meters(ctx)
	if err != nil {
		c.log.Info("Cannot read the counts of meters for a scrape", "error", err.Error())
		return
	}
	sums := map[direction]uint64{}
	for id, d := range policed {
		sums[d] += meters[id].Dropped
	}
	for d, n := range sums {
		counter(out, dropped, float64(n), d.peer, d.name, "FloodRate")
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(out chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}
