//go:build integration

package edge_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os/exec"
	"sync"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link/nstest"
)

// pattern is what pods say to each other, as ping's option has it.
const pattern = "6c32736d20736563726574"

// outsider is what somebody on the wide area network sees, by kind of frame.
type outsider struct {
	mu   sync.Mutex
	seen map[string]int
}

func (o *outsider) see(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	words, _ := hex.DecodeString(pattern)
	if bytes.Contains(frame, words) {
		o.seen["words"]++
	}
	kind, rest := payload(frame)
	if len(rest) < 8 || kind == unix.IPPROTO_ICMPV6 && rest[0] >= 130 { // neighbours find each other by that, as by ARP
		return
	}
	from, to := binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	switch {
	case kind == 17 && to == 4789:
		o.seen["VXLAN"]++
	case kind == 17 && (to == wireGuardPort || from == wireGuardPort):
		o.seen["WireGuard"]++
	case kind == 6 && (to == 179 || from == 179):
		o.seen["BGP"]++
	default:
		o.seen["other IP"]++
	}
}

// payload is what an IP packet holds, and its protocol; nothing of other frames.
func payload(frame []byte) (protocol byte, payload []byte) {
	const ether, four, six = 14, 20, 40
	switch {
	case len(frame) > ether+four && binary.BigEndian.Uint16(frame[12:]) == 0x0800:
		return frame[ether+9], frame[ether+four:]
	case len(frame) > ether+six && binary.BigEndian.Uint16(frame[12:]) == 0x86dd:
		return frame[ether+6], frame[ether+six:]
	default:
		return 0, nil
	}
}

func (o *outsider) take() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen
	o.seen = map[string]int{}
	return seen
}

// edgeIs changes the cluster's L2Edge.
func (c *cluster) edgeIs(change func(*v1alpha1.L2EdgeSpec)) {
	c.t.Helper()
	c.eventually(func(g gomega.Gomega) {
		var e v1alpha1.L2Edge
		g.Expect(c.Get(c.t.Context(), client.ObjectKey{Name: v1alpha1.EdgeName}, &e)).To(gomega.Succeed())
		change(&e.Spec)
		g.Expect(c.Update(c.t.Context(), &e)).To(gomega.Succeed())
	})
}

// keys are the public ones of the cluster's edges, by address, when all have so many
// that differ from those before.
func (c *cluster) keys(before map[string][]string) map[string][]string {
	c.t.Helper()
	keys := map[string][]string{}
	c.eventually(func(g gomega.Gomega) {
		var e v1alpha1.L2Edge
		g.Expect(c.Get(c.t.Context(), client.ObjectKey{Name: v1alpha1.EdgeName}, &e)).To(gomega.Succeed())
		for _, n := range e.Status.Nodes {
			g.Expect(n.PublicKeys).To(gomega.HaveLen(2), "keys of %s", n.Name)
			g.Expect(n.PublicKeys).NotTo(gomega.Equal(before[n.Address]))
			keys[n.Address] = n.PublicKeys
		}
	})
	return keys
}

// peerHas writes keys into the cluster's L2Peer.
func (c *cluster) peerHas(name string, keys map[string][]string) {
	c.t.Helper()
	c.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(c.Get(c.t.Context(), client.ObjectKey{Name: name}, &p)).To(gomega.Succeed())
		for i := range p.Spec.Endpoints {
			p.Spec.Endpoints[i].PublicKeys = keys[p.Spec.Endpoints[i].Address]
		}
		g.Expect(c.Update(c.t.Context(), &p)).To(gomega.Succeed())
	})
}

// says waits for the message of the peer's first session.
func (c *cluster) says(peer, message string) {
	c.t.Helper()
	c.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(c.Get(c.t.Context(), client.ObjectKey{Name: peer}, &p)).To(gomega.Succeed())
		g.Expect(p.Status.Sessions).NotTo(gomega.BeEmpty())
		g.Expect(p.Status.Sessions[0].Message).To(gomega.ContainSubstring(message))
	})
}

func speak(g gomega.Gomega, from, to *sidestest.Pod) {
	g.Expect(from.Ping(to.V4(), "-p", pattern)).To(gomega.Succeed())
	g.Expect(from.Ping(to.V6(), "-p", pattern)).To(gomega.Succeed())
}

// encrypted is two clusters, of which each pod reaches the other by WireGuard.
type encrypted struct {
	*world
	a, b             *cluster
	pa, pb           *sidestest.Pod
	wan              *outsider
	keysOfA, keysOfB map[string][]string
}

func encryption(is v1alpha1.Encryption) func(*v1alpha1.L2EdgeSpec) {
	return func(s *v1alpha1.L2EdgeSpec) { s.Encryption = is }
}

func (e *encrypted) talk() {
	e.t.Helper()
	e.a.eventually(func(g gomega.Gomega) { speak(g, e.pa, e.pb); speak(g, e.pb, e.pa) })
}

// startEncrypted shows what an outsider sees before and after.
func startEncrypted(t *testing.T, over way) *encrypted {
	t.Helper()
	w := startOver(t, over.wan, 2, 1)
	a, b := w.clusters[0], w.clusters[1]
	for _, c := range w.clusters {
		c.edgeIs(func(s *v1alpha1.L2EdgeSpec) { s.MTU = sidestest.MTU })
	}
	a.peer("b", b)
	b.peer("a", a)
	a.network("red", 5001, "b")
	b.network("red", 5001, "a")
	a.bindTo(a.Edges[0])
	b.bindTo(b.Edges[0])
	pa := a.pod("red", "pa", "0a:58:0a:32:00:01", "10.50.0.1/24", "fd50::1/64")
	pb := b.pod("red", "pb", "0a:58:0a:32:00:81", "10.50.0.129/24", "fd50::81/64")
	wan := &outsider{seen: map[string]int{}}
	w.Capture(wan.see)
	e := &encrypted{world: w, a: a, b: b, pa: pa, pb: pb, wan: wan}
	e.talk()
	if seen := wan.take(); seen["words"] == 0 || seen["VXLAN"] == 0 || seen["BGP"] == 0 || seen["WireGuard"] != 0 {
		t.Fatalf("without encryption an outsider sees %v: the capture is no proof", seen)
	}

	a.edgeIs(encryption(v1alpha1.EncryptionWireGuard))
	a.says("b", "write into publicKeys")
	b.edgeIs(encryption(v1alpha1.EncryptionWireGuard))
	e.keysOfA, e.keysOfB = a.keys(nil), b.keys(nil)
	a.peerHas("b", e.keysOfB)
	b.peerHas("a", e.keysOfA)
	e.talk()
	wan.take()
	e.talk()
	fits(t, over.encrypted, pa, pb)
	seen := wan.take()
	if seen["words"] != 0 || seen["VXLAN"] != 0 || seen["BGP"] != 0 || seen["other IP"] != 0 || seen["WireGuard"] == 0 {
		t.Errorf("an outsider sees %v, want WireGuard alone", seen)
	}
	t.Logf("an outsider sees %v", seen)
	// The cluster's own edges see each other through it as well.
	a.eventually(func(g gomega.Gomega) {
		g.Expect(a.Edges[0].Ctl("--bare", "--columns=bfd_status", "find", "interface", "type=vxlan")).To(gomega.MatchRegexp(`(?s)forwarding=true.*forwarding=true`))
	})
	return e
}

// The way between edges is IPv6, and so is what WireGuard sends.
func TestEncryptedOverIPv6(t *testing.T) {
	startEncrypted(t, ways["IPv6"])
}

// What an outsider sees, with and without encryption; what becomes of traffic when keys
// change, are wrong, and when processes die.
func TestEncrypted(t *testing.T) {
	e := startEncrypted(t, ways["IPv4"])
	w, a, b, pa, pb, wan, talk := e.world, e.a, e.b, e.pa, e.pb, e.wan, e.talk
	keysOfA, keysOfB := e.keysOfA, e.keysOfB
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Rotation", func(t *testing.T) {
			stream := pa.Stream(pb.V4())
			b.edgeIs(func(s *v1alpha1.L2EdgeSpec) { s.KeyGeneration = 2 })
			next := b.keys(keysOfB)
			at := b.Edges[0].WAN.String()
			if next[at][0] != keysOfB[at][1] {
				t.Errorf("the key in use is %s, not the next one that was told before, %s", next[at][0], keysOfB[at][1])
			}
			b.eventually(func(g gomega.Gomega) { speak(g, pb, pa) })
			t.Logf("reliability: encrypted: the keys of one side change | BGP, and all that is announced | %s", stream.Stop())
			a.peerHas("b", next)
			keysOfB = next
			var secret corev1.Secret
			if err := b.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.EdgeNamespace, Name: v1alpha1.WireGuardSecret(b.Edges[0].Name)}, &secret); err != nil {
				t.Fatal(err)
			}
			if len(secret.Data) != 2 || secret.Data["key-2"] == nil || secret.Data["key-3"] == nil {
				t.Errorf("the Secret has %d keys, want those of generations 2 and 3: former ones can't be of use to a thief", len(secret.Data))
			}
			talk()
		}},
		{"KeysOfAnother", func(t *testing.T) {
			a.peerHas("b", keysOfAnother(keysOfA, b.Edges[0].WAN.String()))
			a.says("b", "is that of")
			a.eventually(func(g gomega.Gomega) { g.Expect(pa.Ping(pb.V4())).NotTo(gomega.Succeed()) })
			wan.take()
			for range 5 {
				if pa.Ping(pb.V4(), "-p", pattern) == nil {
					t.Error("a peer answers whose key is another's")
				}
			}
			if seen := wan.take(); seen["words"] != 0 || seen["VXLAN"] != 0 || seen["BGP"] != 0 {
				t.Errorf("without the right key an outsider sees %v", seen)
			}
			a.peerHas("b", keysOfB)
			talk()
		}},
		{"EdgeKilled", func(t *testing.T) {
			stream := pa.Stream(pb.V4())
			a.edges[0].kill()
			a.edges[0].run()
			a.eventually(func(g gomega.Gomega) { speak(g, pa, pb) })
			t.Logf("reliability: encrypted: l2sm-edge killed (-9), where wireguard-go runs in it, and started again | the link with its address and routes | %s", stream.Stop())
		}},
		{"VswitchdKilled", func(t *testing.T) {
			stream := pa.Stream(pb.V4())
			a.Edges[0].StopVswitchd()
			a.Edges[0].StartVswitchd()
			a.eventually(func(g gomega.Gomega) { speak(g, pa, pb) })
			t.Logf("reliability: encrypted: ovs-vswitchd of an edge killed (-9) and started again | what is announced | %s", stream.Stop())
		}},
		{"Standby", func(t *testing.T) {
			stream := pa.Stream(pb.V4())
			a.bindTo(a.Edges[1])
			a.eventually(func(g gomega.Gomega) { speak(g, pb, pa) })
			t.Logf("reliability: encrypted: planned take-over by another edge | the network, everywhere | %s", stream.Stop())
		}},
	} {
		if !t.Run(part.name, part.run) {
			return
		}
	}

	for _, c := range w.clusters {
		c.edgeIs(encryption(v1alpha1.EncryptionNone))
	}
	talk()
	for _, c := range w.clusters {
		for _, n := range c.Edges {
			c.eventually(func(g gomega.Gomega) {
				var links []byte
				nstest.Do(t, n.NetNS, func() (err error) {
					links, err = exec.Command("ip", "-oneline", "link").CombinedOutput()
					return err
				})
				g.Expect(string(links)).NotTo(gomega.ContainSubstring("-wg"), "links of %s", n.Name)
			})
		}
	}
}

// keysOfAnother are keys of somebody else for the address.
func keysOfAnother(keys map[string][]string, address string) map[string][]string {
	for _, of := range keys {
		return map[string][]string{address: of}
	}
	return nil
}
