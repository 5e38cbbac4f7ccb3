//go:build integration

package edge_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link/nstest"
)

// three is three clusters, the first with two edges, with two networks that all are on,
// whose addresses are equal.
type three struct {
	*world
	a, b, c *cluster
	// red and blue are a pod of each cluster.
	red, blue []*sidestest.Pod
}

func startThree(t *testing.T) *three {
	t.Helper()
	w := start(t, 2, 1, 1)
	s := &three{world: w, a: w.clusters[0], b: w.clusters[1], c: w.clusters[2]}
	for i, c := range w.clusters {
		peers := w.peersOf(c)
		c.network("red", 5001, peers...)
		c.network("blue", 5002, peers...)
		c.bindTo(c.Edges[0])
		mac := fmt.Sprintf("0a:58:0a:32:00:%02x", i+1)
		v4, v6 := fmt.Sprintf("10.50.0.%d/24", i+1), fmt.Sprintf("fd50::%d/64", i+1)
		s.red = append(s.red, c.openPod("red", fmt.Sprintf("red-%d", i), mac, v4, v6))
		s.blue = append(s.blue, c.openPod("blue", fmt.Sprintf("blue-%d", i), mac, v4, v6))
	}
	for _, pods := range [][]*sidestest.Pod{s.red, s.blue} {
		pods[0].Reaches(pods[1])
		pods[1].Reaches(pods[2])
		pods[2].Reaches(pods[0])
	}
	return s
}

// Three clusters without kubelets; what is done to them comes one after the other.
func TestThreeClusters(t *testing.T) {
	s := startThree(t)
	for _, part := range []struct {
		name string
		run  func(*three, *testing.T)
	}{
		{"Broadcasts", (*three).broadcasts}, {"Apart", (*three).apart}, {"Stranger", (*three).stranger},
		{"Moves", (*three).moves}, {"SpeakerKilled", (*three).speakerKilled}, {"WithoutAPI", (*three).withoutAPI}, {"WithoutDatabases", (*three).withoutDatabases},
		{"VswitchdKilled", (*three).vswitchdKilled}, {"StandbyBack", (*three).standbyBack}, {"WAN", (*three).wan}, {"TakeOver", (*three).takeOver},
		{"Leaves", (*three).leaves}, {"PausedProcess", (*three).pausedProcess}, {"DeadEdge", (*three).deadEdge},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(s, t) }) {
			return
		}
	}
}

// broadcasts: each frame arrives once at every pod of its network, and at no other.
func (s *three) broadcasts(t *testing.T) {
	once(t, s)
}

var mark uint32

// once sends broadcasts from a pod of every cluster until one has arrived everywhere: one may be
// lost while nodes follow a change. None arrives twice.
func once(t *testing.T, s *three) {
	t.Helper()
	var ears, others []*sidestest.Ear
	for i := range s.red {
		ears, others = append(ears, s.red[i].Hear()), append(others, s.blue[i].Hear())
	}
	first := mark + 1
	for from, p := range s.red {
		gomega.NewWithT(t).Eventually(func(g gomega.Gomega) {
			mark++
			p.Send(sidestest.Frame(sidestest.Broadcast, p.MAC, mark))
			for to, ear := range ears {
				if from != to {
					g.Eventually(func() int { return ear.Copies(mark) }, "300ms", "5ms").Should(gomega.BeNumerically(">", 0),
						"a broadcast of cluster %d does not arrive in cluster %d", from, to)
				}
			}
		}, patience, "10ms").Should(gomega.Succeed())
	}
	time.Sleep(200 * time.Millisecond) // for copies that come later
	for is := first; is <= mark; is++ {
		for to, ear := range ears {
			if got := ear.Copies(is); got > 1 {
				t.Errorf("a broadcast arrived %d times in cluster %d", got, to)
			}
		}
		for to, ear := range others {
			if got := ear.Copies(is); got != 0 {
				t.Errorf("the other network of cluster %d heard a broadcast", to)
			}
		}
	}
}

// apart: equal addresses of two networks are two pods.
func (s *three) apart(t *testing.T) {
	ear := s.blue[1].Hear()
	frame := sidestest.Frame(s.red[1].MAC, s.red[0].MAC, 1<<30)
	red := s.red[1].Hear()
	s.red[0].Send(frame)
	gomega.NewWithT(t).Eventually(func() int { return red.Copies(1 << 30) }, patience, "10ms").Should(gomega.Equal(1))
	if got := ear.Copies(1 << 30); got != 0 {
		t.Errorf("a frame to %s of one network arrived at the same address of another", s.red[1].MAC)
	}
}

// stranger: who is no peer sends frames to an edge.
func (s *three) stranger(t *testing.T) {
	ear := s.red[1].Hear()
	from := s.Stranger()
	for range 20 {
		from.SendVXLAN(s.b.Edges[0].WAN, 5001, sidestest.Frame(sidestest.Broadcast, s.red[0].MAC, 1<<31), sidestest.Frame(s.red[1].MAC, s.red[0].MAC, 1<<31))
	}
	s.red[0].Reaches(s.red[1]) // what came before has been forwarded, or dropped
	if got := ear.Copies(1 << 31); got != 0 {
		t.Errorf("%d of 40 frames of a VTEP that is no peer arrived", got)
	}
}

// moves: a MAC address goes from one cluster to another and back under pings.
func (s *three) moves(t *testing.T) {
	const mac, v4 = "0a:58:0a:32:00:77", "10.50.0.119/24"
	at := s.b.pod("red", "mover-b", mac, v4)
	s.red[0].Reaches(at)
	var gaps []time.Duration
	var sum sidestest.Lost
	for i := range 6 {
		from, to, name := s.b, s.c, "mover-c"
		if i%2 == 1 {
			from, to, name = s.c, s.b, "mover-b"
		}
		next := to.Pod(to.Worker, "default/red", mac, v4) // plugged, and not announced
		stream := s.red[0].Stream(at.V4())
		time.Sleep(300 * time.Millisecond)
		from.detach(strings.Replace(name, name[len(name)-1:], map[bool]string{true: "b", false: "c"}[from == s.b], 1))
		to.attach("red", name, mac, v4)
		time.Sleep(700 * time.Millisecond)
		lost := stream.Stop()
		sum.Sent, sum.Lost = sum.Sent+lost.Sent, sum.Lost+lost.Lost
		gaps = append(gaps, lost.Gap)
		at.Node.Side.NB("lsp-del", at.Port)
		at = next
		s.red[0].Reaches(at)
	}
	slices.Sort(gaps)
	t.Logf("reliability: a MAC address moved from cluster to cluster %d times | traffic to it | %d of %d lost, longest gap %s", len(gaps), sum.Lost, sum.Sent, gaps[len(gaps)-1])
	s.b.detach("mover-b")
	at.Node.Side.NB("lsp-del", at.Port)
}

// edgeOf is the process on a node.
func (c *cluster) edgeOf(n *sidestest.Node) *edgeProcess {
	for _, e := range c.edges {
		if e.node == n {
			return e
		}
	}
	panic("no edge on " + n.Name)
}

// under has something happen under pings from a to b and from c to a.
func (s *three) under(t *testing.T, what, kept string, do func()) (worst sidestest.Lost) {
	t.Helper()
	streams := []*sidestest.Stream{s.red[0].Stream(s.red[1].V4()), s.red[2].Stream(s.red[0].V4())}
	time.Sleep(300 * time.Millisecond)
	do()
	time.Sleep(300 * time.Millisecond)
	for _, stream := range streams {
		if lost := stream.Stop(); lost.Gap > worst.Gap {
			worst = lost
		}
	}
	t.Logf("reliability: %s | %s | %s", what, kept, worst)
	return worst
}

// The datapath of two busy cores loses a ping now and then; a fault loses hundreds. A take-over
// costs a few, and on such cores some more.
const (
	byChance   = 10
	inTakeOver = 40
)

// few pings are lost at most.
func few(t *testing.T, lost sidestest.Lost, most int) {
	t.Helper()
	if lost.Lost > most {
		t.Errorf("%s, want %d at most", lost, most)
	}
}

// speakerKilled: l2sm-edge dies and is away for 5 seconds.
func (s *three) speakerKilled(t *testing.T) {
	e := s.a.edgeOf(s.a.Edges[0])
	few(t, s.under(t, "l2sm-edge of the active node killed (-9), away for 5 s", "flows, and the peers' routes", func() {
		e.kill()
		time.Sleep(5 * time.Second)
		e.run()
		time.Sleep(5 * time.Second)
	}), byChance)
	once(t, s)
}

// withoutAPI: the edge goes on, and its successor does what it can.
func (s *three) withoutAPI(t *testing.T) {
	few(t, s.under(t, "the API server of one side away for 20 s, longer than the Lease", "everything that was bound", func() {
		for _, e := range s.a.edges {
			e.door.close()
		}
		time.Sleep(20 * time.Second)
	}), byChance)
	for _, e := range s.a.edges {
		e.door.open()
	}
	once(t, s)
}

// withoutDatabases: nodes keep their flows, and the edge what it announces.
func (s *three) withoutDatabases(t *testing.T) {
	for name, what := range map[string]string{"nb": "northbound", "sb": "southbound"} {
		few(t, s.under(t, "the "+what+" database of one side killed (-9), away for 3 s", "flows, bindings and what is announced", func() {
			again := s.a.StopDatabase(name)
			time.Sleep(3 * time.Second)
			again()
			time.Sleep(2 * time.Second)
		}), byChance)
	}
	once(t, s)
}

// standbyBack: one that stands by loses its ovs-vswitchd, with l2sm-edge and without, and does not
// take its own blindness for the other's end.
func (s *three) standbyBack(t *testing.T) {
	active, n := s.inCharge(t)
	defer s.a.bindTo(s.a.Edges[0])
	few(t, s.under(t, "ovs-vswitchd of the edge that stands by killed (-9) twice, once with l2sm-edge, and started again", "the network, everywhere", func() {
		for _, with := range []bool{false, true} {
			n.StopVswitchd()
			if with {
				s.a.edgeOf(n).kill()
			}
			time.Sleep(2 * time.Second) // the others see it go
			n.StartVswitchd()
			if with {
				s.a.edgeOf(n).run()
			}
			time.Sleep(4 * time.Second) // the database says for a second that BFD is up, and then that it is down
			if is := s.a.holder(); is != active.Name {
				t.Errorf("%s, back again, took the Lease of %s, which was there all the time (now %s)", n.Name, active.Name, is)
			}
		}
	}), byChance)
	once(t, s)
}

// leaves: the active edge's node is an edge no more, and its pod ends before it knows.
func (s *three) leaves(t *testing.T) {
	active, other := s.inCharge(t)
	for _, c := range []*cluster{s.b, s.c} { // one that has no session yet is silent once it has taken over
		c.eventually(func(g gomega.Gomega) {
			var p v1alpha1.L2Peer
			g.Expect(c.Get(t.Context(), client.ObjectKey{Name: "a"}, &p)).To(gomega.Succeed())
			for _, is := range p.Status.Sessions {
				g.Expect(is.Established).To(gomega.BeTrue(), is.Address)
			}
		})
	}
	e := s.a.edgeOf(active)
	few(t, s.under(t, "the active edge's node is an edge no more, and its pod ends", "the network, everywhere", func() {
		if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		s.a.edgesAre(other)
		s.a.eventually(func(g gomega.Gomega) { g.Expect(s.a.holder()).To(gomega.Equal(other.Name)) })
		s.a.bindTo(other)
		if err := e.cmd.Wait(); err != nil {
			t.Errorf("l2sm-edge, which was told to end: %v", err)
		}
	}), inTakeOver)
	if got := active.Ctl("list-br"); strings.Contains(got, "br-edge") {
		t.Errorf("the node that was an edge has bridges %q", got)
	}
	s.a.edgesAre(active, other)
	e.run()
	once(t, s)
}

// inCharge has the networks of the first cluster be bound to the edge that has the Lease.
func (s *three) inCharge(t *testing.T) (active, other *sidestest.Node) {
	t.Helper()
	active, other = s.a.Edges[0], s.a.Edges[1]
	if other.Name == s.a.holder() {
		active, other = other, active
	}
	s.a.bindTo(active)
	once(t, s)
	return active, other
}

// edgesAre has the L2Edge name the nodes, as the controller does.
func (c *cluster) edgesAre(nodes ...*sidestest.Node) {
	c.t.Helper()
	c.eventually(func(g gomega.Gomega) {
		var e v1alpha1.L2Edge
		g.Expect(c.Get(c.t.Context(), client.ObjectKey{Name: v1alpha1.EdgeName}, &e)).To(gomega.Succeed())
		e.Status.Nodes = nil
		for _, n := range nodes {
			e.Status.Nodes = append(e.Status.Nodes, v1alpha1.EdgeNode{Name: n.Name, Address: n.WAN.String()})
		}
		g.Expect(c.Status().Update(c.t.Context(), &e)).To(gomega.Succeed())
	})
}

// vswitchdKilled: all flows are gone and written again.
func (s *three) vswitchdKilled(t *testing.T) {
	n := s.b.Edges[0]
	lost := s.under(t, "ovs-vswitchd of an edge killed (-9) and started again", "what is announced", func() {
		n.StopVswitchd()
		n.StartVswitchd()
		time.Sleep(3 * time.Second)
	})
	if lost.Gap > nstest.Patience(3*time.Second) {
		t.Errorf("%s, want the flows back within 3 s", lost)
	}
	once(t, s)
}

// wan: an edge is cut off for longer than the hold time of BGP.
func (s *three) wan(t *testing.T) {
	mend := s.b.Edges[0].Cut()
	time.Sleep(12 * time.Second)
	if s.red[0].Ping(s.red[1].V4()) == nil {
		t.Error("the way is cut, and pings pass")
	}
	mend()
	began := time.Now()
	s.red[0].Reaches(s.red[1])
	t.Logf("reliability: the way of one side to the others cut for 12 s | each side's own traffic | back after %s", time.Since(began).Round(10*time.Millisecond))
	s.red[1].Reaches(s.red[0])
	s.b.eventually(func(g gomega.Gomega) { // with the standby too
		for _, name := range []string{"a", "c"} {
			var p v1alpha1.L2Peer
			g.Expect(s.b.Get(t.Context(), client.ObjectKey{Name: name}, &p)).To(gomega.Succeed())
			g.Expect(p.Status.Sessions).To(gomega.HaveEach(gomega.HaveField("Established", true)))
		}
	})
	once(t, s)
}

// takeOver: another edge takes over by the one write that the controller makes.
func (s *three) takeOver(t *testing.T) {
	for i := range 4 {
		to := s.a.Edges[(i+1)%2]
		few(t, s.under(t, "planned take-over by another edge", "the network, everywhere", func() {
			s.a.bindTo(to)
			time.Sleep(time.Second)
		}), inTakeOver)
		once(t, s)
	}
}

// follow binds the ways out to the holder of the Lease, as the controller does.
func (c *cluster) follow(t *testing.T) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		was := ""
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
			if holder := c.holder(); holder != "" && holder != was {
				for _, n := range c.Edges {
					if n.Name == holder {
						c.bindTo(n)
					}
				}
				was = holder
			}
		}
	}()
	return func() { close(done); <-ended }
}

// activeOf is the edge that has the Lease, and another.
func (s *three) activeOf(t *testing.T) (active, standby *sidestest.Node) {
	t.Helper()
	gomega.NewWithT(t).Eventually(s.a.holder, patience, "20ms").ShouldNot(gomega.BeEmpty())
	active, standby = s.a.Edges[0], s.a.Edges[1]
	if s.a.holder() == standby.Name {
		active, standby = standby, active
	}
	return active, standby
}

// pausedProcess: an edge stops in the middle, another takes over, and it wakes up late.
func (s *three) pausedProcess(t *testing.T) {
	stop := s.a.follow(t)
	defer stop()
	active, standby := s.activeOf(t)
	time.Sleep(time.Second)
	e := s.a.edgeOf(active)
	if err := e.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	gomega.NewWithT(t).Eventually(s.a.holder, 3*patience, "50ms").Should(gomega.Equal(standby.Name))
	s.red[0].Reaches(s.red[1])
	if err := e.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for range 5 { // at any time from now on
		once(t, s)
	}
	s.red[1].Reaches(s.red[0])
}

// deadEdge: the active node is gone at once, with all that runs on it.
func (s *three) deadEdge(t *testing.T) {
	stop := s.a.follow(t)
	defer stop()
	active, _ := s.activeOf(t)
	time.Sleep(2 * time.Second) // BFD has seen it
	lost := s.under(t, "the active edge's node killed: ovs-vswitchd, ovn-controller, l2sm-edge", "another takes over", func() {
		e := s.a.edgeOf(active)
		active.StopVswitchd()
		active.StopController()
		e.kill()
		time.Sleep(5 * time.Second)
	})
	if lost.Gap > nstest.Patience(3*time.Second) {
		t.Errorf("%s, want another edge within 3 s", lost)
	}
	once(t, s)
}
