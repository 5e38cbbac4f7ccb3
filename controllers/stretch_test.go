package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/tunnelkey"
)

// out is networkOf, gone on with an id by way of a node.
func out(name, node string) *v1alpha1.L2Network {
	n := networkOf(name)
	n.Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: node}
	return n
}

// The edge's port is written as any other: when it changes, with a whole network, and
// again after a write that failed. No attachment is woken for it.
func TestEdgePort(t *testing.T) {
	p, a := newPorts(), out("a", "node-a")
	p.setEdge(a)
	w := p.begin(a.Key(), 1)
	if diff := cmp.Diff(map[string][]string{"set": {"a/edge"}, "whole": nil}, says(w)); diff != "" {
		t.Errorf("a new network (-want +got):\n%s", diff)
	}
	row := w.set[0].row()
	if row.Name != "l2sm/lab/a/edge" || row.Owner != "a" || row.Options["l2gateway-chassis"] != "node-a" || row.Type != "l2gateway" {
		t.Errorf("got %+v", row)
	}
	p.done(a.Key(), w)
	p.setEdge(a)
	if w := p.begin(a.Key(), 1); !w.empty() {
		t.Errorf("the same again is written: %v", says(w))
	}
	p.setEdge(out("a", "node-b"))
	w = p.begin(a.Key(), 1)
	p.failed(a.Key(), w)
	w = p.begin(a.Key(), 1)
	if len(w.set) != 1 || w.whole || w.set[0].row().Options["l2gateway-chassis"] != "node-b" {
		t.Errorf("another node, after a failure: %v", says(w))
	}
	p.done(a.Key(), w)
	p.compare(a.Key())
	if w := p.begin(a.Key(), 1); !slices.Equal(says(w)["set"], []string{"a/edge"}) {
		t.Errorf("a database that is lost: %v", says(w))
	}
	p.setEdge(networkOf("a"))
	if diff := cmp.Diff(map[string][]string{"remove": {"a/edge"}}, says(p.begin(a.Key(), 1))); diff != "" {
		t.Errorf("withdrawn (-want +got):\n%s", diff)
	}
}

func withID(name string, id int32, version string) *v1alpha1.L2Network {
	n := networkOf(name)
	n.ResourceVersion = version
	if id != 0 {
		n.Status.Stretch = &v1alpha1.StretchStatus{ID: id}
	}
	return n
}

// An id is free once it is seen to be on no record, and not before.
func TestStretchIDs(t *testing.T) {
	s := newStretchIDs()
	one, other := withID("one", 0, "1"), withID("other", 0, "1")
	settled := func(n *v1alpha1.L2Network, want ...int32) {
		t.Helper()
		if freed, _ := s.settle(n); !slices.Equal(freed, want) {
			t.Errorf("%s of version %s: freed %v, want %v", n.Name, n.ResourceVersion, freed, want)
		}
	}
	if s.hold(one, 7) != one.Key() || s.hold(other, 7) != one.Key() || s.has(other, 7) || !s.has(one, 7) {
		t.Error("the first holds it")
	}
	settled(one)
	s.sending(one) // with the id
	s.want(one, 0)
	settled(one) // the write may take place
	settled(withID("one", 7, "2"))
	s.sending(withID("one", 7, "2")) // without it
	settled(withID("one", 7, "2"))
	settled(withID("one", 0, "3"), 7)
	if s.hold(other, 7) != other.Key() {
		t.Error("it is free")
	}

	s.want(other, 8)
	s.hold(other, 8)
	settled(withID("other", 7, "2")) // both, while it changes
	settled(withID("other", 8, "3"), 7)
	heir := networkOf("other")
	heir.UID = "another life"
	if s.has(heir, 8) || !slices.Equal(s.succeed(heir), []int32{8}) || s.hold(heir, 8) != heir.Key() || !s.has(heir, 8) {
		t.Error("another life of the name holds what it is given, and inherits nothing")
	}
	if !slices.Equal(s.gone(heir.Key()), []int32{8}) || len(s.holders)+len(s.networks) > 0 {
		t.Errorf("all is gone, but %v, %v", s.holders, s.networks)
	}
}

// Of two that have one id on record, the older one has it.
func TestStretchIDsOnRecord(t *testing.T) {
	older, younger := withID("z", 7, "1"), withID("a", 7, "1")
	older.CreationTimestamp, younger.CreationTimestamp = metav1.Unix(1, 0), metav1.Unix(2, 0)
	s := newStretchIDs()
	s.load([]v1alpha1.L2Network{*younger, *older, *withID("plain", 0, "1")})
	if !s.has(older, 7) || s.has(younger, 7) || len(s.networks) != 1 {
		t.Errorf("held are %v", s.holders)
	}
}

// The edge's port has a key as any other: no attachment gets it after a start, and where
// there is none left it waits for the next.
func TestEdgeKey(t *testing.T) {
	k, woken := keysOf(v1alpha1.FabricZones, 10, 12)
	k.ports, k.from = tunnelkey.Range{First: 1, Last: 2}, func(r tunnelkey.Range) int32 { return r.First }
	a := withKey("a", 10, 1)
	a.Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: "node-a", TunnelKey: 1}
	k.load([]v1alpha1.L2Network{*a}, nil)
	x, y := on("a", "x", 0, 0), on("a", "y", 0, 0)
	if got, err := k.port(a, x); err != nil || got != 2 {
		t.Errorf("an attachment has key %d, %v; the edge's is 1", got, err)
	}
	if got, err := k.port(a, edgeAttachment(a)); err != nil || got != 1 {
		t.Errorf("the edge has key %d, %v", got, err)
	}
	k.attachmentGone(v1alpha1.EdgeOf(a.Key()))
	if got, err := k.port(a, y); err != nil || got != 1 {
		t.Errorf("what the edge has no longer is another's: %d, %v", got, err)
	}
	a.Status.Stretch = nil
	if _, err := k.port(a, edgeAttachment(a)); err == nil {
		t.Error("two keys for three ports")
	}
	k.attachmentGone(x.Key())
	if got := strings.Join(*woken, " "); got != "a/edge" {
		t.Errorf("woken is %q", got)
	}
}

// Labels of any key may select a node, and of annotations one is read.
func TestKeptNode(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: "a", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{v1alpha1.EdgeAddressAnnotation: "192.0.2.1", "large": "x"},
	}}
	kept, err := stripNode(node)
	if err != nil {
		t.Fatal(err)
	}
	want := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: "a", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{v1alpha1.EdgeAddressAnnotation: "192.0.2.1"},
	}}
	if diff := cmp.Diff(any(want), kept); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// queued collects what is put into a queue, at once or later.
type queued struct {
	workqueue.TypedRateLimitingInterface[ctrl.Request]
	added []string
}

func (q *queued) Add(r ctrl.Request) { q.added = append(q.added, "now "+r.Name) }

func (q *queued) AddAfter(r ctrl.Request, _ time.Duration) {
	q.added = append(q.added, "later "+r.Name)
}

// naming is a cache of networks that name every peer.
type naming []v1alpha1.L2Network

func (n naming) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errBroken
}

func (n naming) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.L2NetworkList).Items = n
	return nil
}

// What a peer says of a network has that one's status written, and its session those of
// all that name it. What it says beside is no network's.
func TestPeerEvents(t *testing.T) {
	peer := func(session metav1.Condition, networks ...v1alpha1.PeerNetwork) *v1alpha1.L2Peer {
		p := &v1alpha1.L2Peer{ObjectMeta: metav1.ObjectMeta{Name: "east"}}
		p.Status.Conditions, p.Status.Networks = []metav1.Condition{session}, networks
		return p
	}
	of := func(name string, macs int32) v1alpha1.PeerNetwork {
		return v1alpha1.PeerNetwork{ID: macs % 10, Namespace: "lab", Name: name, MACs: macs}
	}
	up, more, down := v1alpha1.PeerReady(1, 2), v1alpha1.PeerReady(2, 2), v1alpha1.PeerNoSession("refused")
	names := naming{*networkOf("a"), *networkOf("b"), *networkOf("c")}
	cases := map[string]struct {
		reason  string
		was, is *v1alpha1.L2Peer
		want    string
	}{
		"Nothing": {"the same again", peer(up, of("a", 1)), peer(up, of("a", 1)), ""},
		"Count":   {"one has more", peer(up, of("a", 1), of("b", 2)), peer(up, of("a", 1), of("b", 12)), "later b"},
		"Session": {"one more endpoint is no news", peer(up, of("a", 1)), peer(more, of("a", 1)), ""},
		"Down":    {"all lose it", peer(up, of("a", 1)), peer(down), "now a, now b, now c"},
		"Why":     {"and say why", peer(down), peer(v1alpha1.PeerNoSession("no route")), "now a, now b, now c"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			q := &queued{}
			newStretches(reads{cached: names}, nil, Config{}, nil).peerEvents().Update(t.Context(), event.UpdateEvent{ObjectOld: tc.was, ObjectNew: tc.is}, q)
			if got := strings.Join(q.added, ", "); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

// An owner is told once of what is missing, and not each time another peer is named.
func TestStretchedIsTold(t *testing.T) {
	waits := func(message string) []metav1.Condition {
		return []metav1.Condition{v1alpha1.NetworkNotStretched(v1alpha1.ReasonAwaitsPeer, message)}
	}
	cases := map[string]struct {
		before, now []metav1.Condition
		want        int
	}{
		"First":    {nil, waits("east"), 1},
		"Another":  {waits("east"), waits("west"), 0},
		"Joined":   {waits("east"), []metav1.Condition{v1alpha1.NetworkStretched(1, []string{"east"})}, 0},
		"Lost":     {[]metav1.Condition{v1alpha1.NetworkStretched(1, []string{"east"})}, waits("east"), 1},
		"Conflict": {[]metav1.Condition{v1alpha1.NetworkStretched(1, []string{"east"})}, []metav1.Condition{v1alpha1.NetworkStretchedBut(v1alpha1.ReasonAddressConflict, "x")}, 1},
	}
	for name, tc := range cases {
		if got := newEvents(tc.before, tc.now, nil); len(got) != tc.want {
			t.Errorf("%s: got %v, want %d events", name, got, tc.want)
		}
	}
}

// What stands for the edge's port is no attachment, and no attachment is it.
func TestEdgeOf(t *testing.T) {
	network := types.NamespacedName{Namespace: "lab", Name: "net"}
	edge := v1alpha1.EdgeOf(network)
	if of, is := v1alpha1.NetworkOfEdge(edge); !is || of != network || !v1alpha1.IsEdge(edge) || v1alpha1.IsEdge(network) {
		t.Errorf("%v is the edge's of %v", edge, of)
	}
	if _, is := v1alpha1.AttachmentOfPort(v1alpha1.PortOf(edge)); is {
		t.Error("an attachment has the port")
	}
	if of, is := v1alpha1.NetworkOfEdgePort(v1alpha1.PortOf(edge)); !is || of != network {
		t.Errorf("the port is of %v", of)
	}
	for _, name := range []string{"l2sm/lab/edge", "l2sm/a/b/c/edge", "other/lab/net/edge", "l2sm/lab/net"} {
		if of, is := v1alpha1.NetworkOfEdgePort(name); is {
			t.Errorf("%s is of %s", name, fmt.Sprint(of))
		}
	}
}
