//go:build integration

package edge_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link/nstest"
)

// BenchmarkMACToFlow is from the write to one cluster's API server that has its edge announce
// a MAC address, to the flow by which a third cluster's edge sends there. Moved is an address
// whose attachment is deleted in one cluster and completed in another, New one that nobody
// has had. What the write itself takes is told apart from what comes after its answer, which
// is less than nothing where the edges are faster than the answer.
func BenchmarkMACToFlow(b *testing.B) {
	w := start(b, 1, 1, 1)
	for _, c := range w.clusters {
		c.network("red", 5001, w.peersOf(c)...)
		c.bindTo(c.Edges[0])
	}
	sees := w.clusters[2].watchFlows()
	const mac = "0a:58:0a:32:00:77"
	for _, c := range w.clusters[:2] { // until all sessions are there
		c.incomplete(mac)()
		sees.flow(mac, c, time.Time{})
		c.detach(mover)
	}
	b.Run("Moved", func(b *testing.B) {
		var took took
		at, next := w.clusters[0], w.clusters[1]
		at.incomplete(mac)()
		for b.Loop() {
			time.Sleep(pause)
			complete := next.incomplete(mac)
			at.detach(mover)
			took.measure(complete, sees, mac, next)
			at, next = next, at
		}
		at.detach(mover)
		took.report(b)
	})
	b.Run("New", func(b *testing.B) {
		var took took
		for i := 0; b.Loop(); i++ {
			time.Sleep(pause)
			one, c := fmt.Sprintf("0a:58:0a:33:%02x:%02x", i>>8&0xff, i&0xff), w.clusters[i%2]
			took.measure(c.incomplete(one), sees, one, c)
			c.detach(mover)
		}
		took.report(b)
	})
}

const (
	mover = "mover"
	// pause is for what edges tell their API servers of one move: it is none of the next one's
	// time.
	pause = 50 * time.Millisecond
)

// incomplete is an attachment that is not announced yet. The function that it returns writes
// what the controller does when it has a port: then it is.
func (c *cluster) incomplete(mac string) (complete func()) {
	c.t.Helper()
	a := &v1alpha1.L2Attachment{}
	a.Namespace, a.Name = "default", mover
	a.Spec.Network.Name, a.Spec.PodName, a.Spec.PodUID, a.Spec.NodeName = "red", mover, "uid-of-mover", c.Worker.Name
	a.Spec.Interface, a.Spec.MACAddress, a.Spec.Addresses = "net1", mac, []string{"10.50.0.119/24"}
	c.create(a)
	a.Status.Network = &v1alpha1.NetworkReference{Namespace: "default", Name: "red"}
	return func() { c.t.Helper(); c.status(a) }
}

// took are the times that MAC addresses took.
type took struct{ flow, write, after []time.Duration }

func (t *took) measure(complete func(), sees *flowWatch, mac string, to *cluster) {
	began := time.Now()
	complete()
	written := time.Now()
	placed := sees.flow(mac, to, began)
	t.flow = append(t.flow, placed.Sub(began))
	t.write, t.after = append(t.write, written.Sub(began)), append(t.after, placed.Sub(written))
}

func (t *took) report(b *testing.B) {
	b.Helper()
	for name, all := range map[string][]time.Duration{"to-flow": t.flow, "write": t.write, "after-it": t.after} {
		slices.Sort(all)
		for _, percent := range []int{50, 95} {
			b.ReportMetric(float64(all[len(all)*percent/100].Microseconds())/1000, fmt.Sprintf("ms-%s-p%d", name, percent))
		}
	}
	b.ReportMetric(0, "ns/op") // it has the pauses in it, and is not printed
}

// flowWatch is what Open vSwitch tells of an edge's flows when they change (flow monitoring,
// OpenFlow 1.5.1 section 7.3.5.19), as one ovs-ofctl that runs all the time prints it.
type flowWatch struct {
	t    testing.TB
	node *sidestest.Node
	saw  chan sawFlow
}

type sawFlow struct {
	at   time.Time
	line string
}

// watchFlows watches the flows of the cluster's edge.
func (c *cluster) watchFlows() *flowWatch {
	c.t.Helper()
	n := c.Edges[0]
	c.eventually(func(g gomega.Gomega) { g.Expect(n.Management()).To(gomega.BeAnExistingFile()) })
	s := &flowWatch{t: c.t, node: n, saw: make(chan sawFlow, 1<<10)}
	cmd := exec.Command("ovs-ofctl", "-OOpenFlow15", "monitor", "unix:"+n.Management(), "watch:!initial")
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+c.t.TempDir()) // for its control socket
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StderrPipe() // where it prints what the switch sends by itself
	if err != nil {
		c.t.Fatal(err)
	}
	nstest.Do(c.t, n.NetNS, cmd.Start)
	ended := make(chan struct{})
	c.t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended; _ = cmd.Wait() })
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			select {
			case s.saw <- sawFlow{time.Now(), lines.Text()}:
			default: // nobody reads any more
			}
		}
	}()
	return s
}

// flow is when a flow came after some time that sends the MAC address' frames to the
// cluster's edge.
func (s *flowWatch) flow(mac string, to *cluster, after time.Time) time.Time {
	s.t.Helper()
	address, late := to.Edges[0].WAN.String(), time.After(patience)
	for {
		select {
		case saw := <-s.saw:
			if saw.at.After(after) && s.sends(saw.line, mac, address) {
				return saw.at
			}
		case <-late:
			s.t.Fatalf("after %s no flow sends frames for %s to %s", patience, mac, address)
		}
	}
}

func (s *flowWatch) sends(line, mac, address string) bool {
	if strings.Contains(line, "event=DELETED") || !strings.Contains(line, "dl_dst="+mac) {
		return false
	}
	port := s.node.Ctl("--bare", "--columns=ofport", "find", "Interface", "options:remote_ip="+address)
	return strings.HasSuffix(line, "actions=output:"+port)
}
