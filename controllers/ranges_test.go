package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/overlap"
)

// aNode is one as the API has it, with the addresses in a form that kubelets
// write, and others that they could.
func aNode(name string, podCIDRs []string, internal ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Annotations: map[string]string{"large": "x"}}}
	n.Spec.PodCIDRs = podCIDRs
	n.Status.Images = []corev1.ContainerImage{{SizeBytes: 1}}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeExternalIP, Address: "203.0.113.1"}}
	for _, ip := range internal {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip})
	}
	return n
}

func stripped(t *testing.T, n *corev1.Node) *corev1.Node {
	t.Helper()
	kept, err := stripNode(n)
	if err != nil {
		t.Fatal(err)
	}
	return kept.(*corev1.Node)
}

func TestNodeRanges(t *testing.T) {
	flood, floodCIDRs := make([]string, 5000), make([]string, 5000)
	for i := range flood {
		flood[i] = fmt.Sprintf("10.9.%d.%d", i/256, i%256)
		floodCIDRs[i] = flood[i] + "/32"
	}
	cases := map[string]struct {
		reason string
		node   *corev1.Node
		want   []string
	}{
		"Dual":       {"both families count", aNode("a", []string{"10.244.0.0/24", "fd00:244::/64"}, "192.168.0.1", "fd00::1"), []string{"1 10.244.0.0/24", "1 fd00:244::/64", "2 192.168.0.1/32", "2 fd00::1/128"}},
		"None":       {"many network plugins use no podCIDR", aNode("a", nil, "192.168.0.1"), []string{"2 192.168.0.1/32"}},
		"Unreadable": {"a node's words are hostile", aNode("a", []string{"10.244.0.0", "10.244.1.7/24"}, "x", "192.168.0.1"), []string{"1 10.244.1.0/24", "2 192.168.0.1/32"}},
		"Mapped":     {"an address is of its own family", aNode("a", nil, "::ffff:192.168.0.1"), []string{"2 192.168.0.1/32"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kept := stripped(t, tc.node)
			if kept.Annotations != nil || kept.Status.Images != nil || kept.UID != tc.node.UID {
				t.Errorf("the cache keeps %+v", kept)
			}
			var got []string
			for _, r := range nodeRanges(kept) {
				if r.Object != "a" {
					t.Errorf("%v is not of the node", r)
				}
				got = append(got, fmt.Sprintf("%d %s", r.Kind, r.Prefix))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
	if n := len(nodeRanges(stripped(t, aNode("a", floodCIDRs, flood...)))); n > 2*maxNodeRanges {
		t.Errorf("a node of %d addresses has %d ranges", len(flood), n)
	}
	if other, err := stripNode("tombstone"); err != nil || other != "tombstone" {
		t.Errorf("got %v, %v", other, err)
	}
}

func TestRangesChange(t *testing.T) {
	was := stripped(t, aNode("a", []string{"10.244.0.0/24"}, "192.168.0.1"))
	for name, tc := range map[string]struct {
		is   *corev1.Node
		want bool
	}{
		"a heartbeat":       {aNode("a", []string{"10.244.0.0/24"}, "192.168.0.1"), false},
		"another address":   {aNode("a", []string{"10.244.0.0/24"}, "192.168.0.2"), true},
		"its pods' range":   {aNode("a", nil, "192.168.0.1"), true},
		"an address's loss": {aNode("a", []string{"10.244.0.0/24"}), true},
	} {
		if got := otherRanges.Update(event.UpdateEvent{ObjectOld: was, ObjectNew: stripped(t, tc.is)}); got != tc.want {
			t.Errorf("%s: got %t, want %t", name, got, tc.want)
		}
	}
}

// listing is a cache.
type listing struct {
	client.Reader
	nodes    []corev1.Node
	services []networkingv1.ServiceCIDR
	networks []v1alpha1.L2Network
	fails    error
}

func (l *listing) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *corev1.NodeList:
		list.Items = l.nodes
	case *networkingv1.ServiceCIDRList:
		list.Items = l.services
		return l.fails
	case *v1alpha1.L2NetworkList:
		list.Items = l.networks
	}
	return nil
}

func (l *listing) join(n *corev1.Node) { l.nodes = append(l.nodes, *n) }

func onSubnet(name, subnet string) v1alpha1.L2Network {
	n := v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: name, UID: types.UID(name), Generation: 1}}
	n.Spec.IPAM = &v1alpha1.IPAM{Subnets: []string{subnet}}
	return n
}

// overlapping is a reconciler of such a cluster, which notes what it wakes.
func overlapping(cluster *listing, mapper *serves) (*OverlapReconciler, *clusterRanges, func() []string) {
	queue := &added{}
	statuses := &wakeups{queue: queue}
	ranges := newClusterRanges(cluster, mapper)
	quiet := func(...types.NamespacedName) {}
	ledger := admission.NewLedger(admission.Cluster{MaxMTU: 1442, Refused: ranges.now}, admission.Wake{Attachments: quiet, Networks: quiet, Members: quiet})
	r := &OverlapReconciler{Reader: cluster, ranges: ranges, ledger: ledger, statuses: statuses, told: overlap.NewIndex(nil), watchServices: func() error { return nil }}
	return r, ranges, queue.take
}

// Of many networks those are looked at again that a node's coming and going is
// to do with, and nobody else's.
func TestOnlyChangedVerdictsAreWoken(t *testing.T) {
	cluster := &listing{}
	for i := range 1000 {
		cluster.networks = append(cluster.networks, onSubnet(fmt.Sprintf("far-%d", i), fmt.Sprintf("10.%d.%d.0/24", 100+i/256, i%256)))
	}
	cluster.networks = append(cluster.networks, onSubnet("pods", "10.244.0.0/16"), onSubnet("node", "192.168.0.0/24"), onSubnet("svc", "10.96.0.0/24"))
	r, _, woken := overlapping(cluster, &serves{})
	steps := []struct {
		reason string
		change func()
		want   []string
	}{
		{"nothing is there", func() {}, nil},
		{"a node joins", func() { cluster.join(aNode("n1", []string{"10.244.1.0/24"}, "192.168.0.1")) }, []string{"node", "pods"}},
		{"the same again", func() {}, nil},
		{"a second says nothing new of them", func() { cluster.join(aNode("n2", []string{"10.244.2.0/24"}, "192.168.0.2")) }, nil},
		{"the first goes, and the second is named", func() { cluster.nodes = cluster.nodes[1:] }, []string{"node", "pods"}},
		{"its address changes, but not its pods' range", func() { cluster.nodes[0] = *aNode("n2", []string{"10.244.2.0/24"}, "192.168.9.9") }, []string{"node"}},
		{"the Services get a range", func() {
			cluster.services = []networkingv1.ServiceCIDR{{ObjectMeta: metav1.ObjectMeta{Name: "kubernetes"}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"10.96.0.0/16", "?"}}}}
		}, []string{"svc"}},
		{"all of it goes", func() { cluster.nodes, cluster.services = nil, nil }, []string{"pods", "svc"}},
	}
	for _, step := range steps {
		step.change()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, woken()); diff != "" {
			t.Errorf("%s: woken: -want +got\n%s", step.reason, diff)
		}
	}
}

// A cluster before Kubernetes 1.33 has no ServiceCIDRs, which is no error, and
// is asked again when its nodes change only: they do, when it is upgraded.
func TestNoServiceCIDRs(t *testing.T) {
	cluster := &listing{networks: []v1alpha1.L2Network{onSubnet("svc", "10.96.0.0/24")}, fails: errors.New("no such kind")}
	api := &serves{}
	api.after.Store(2)
	r, ranges, woken := overlapping(cluster, api)
	watches := 0
	r.watchServices = func() error { watches++; return nil }
	for range 2 {
		result, err := r.Reconcile(t.Context(), ctrl.Request{})
		if err != nil || result != (ctrl.Result{}) {
			t.Fatalf("got %v, %v", result, err)
		}
	}
	if n := api.asked.Load(); n != 2 || watches > 0 {
		t.Errorf("the API was asked %d times in two looks, and %d watches begun, want 2 and 0", n, watches)
	}

	cluster.fails = nil
	cluster.services = []networkingv1.ServiceCIDR{{Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"10.96.0.0/16"}}}}
	for range 2 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := woken(); !slices.Equal(got, []string{"svc"}) || watches != 1 {
		t.Errorf("woken %v and %d watches after the upgrade", got, watches)
	}

	cluster.fails = errors.New("away")
	if _, err := r.Reconcile(t.Context(), ctrl.Request{}); !errors.Is(err, cluster.fails) {
		t.Errorf("got %v, want the error of the API", err)
	}
	if len(ranges.now().Find(&cluster.networks[0])) == 0 {
		t.Error("what was known is lost with an error")
	}
}

// A node joins while there are 10,000 networks and 1,000 nodes.
func BenchmarkNodeJoins(b *testing.B) {
	cluster := &listing{}
	for i := range 10_000 {
		cluster.networks = append(cluster.networks, onSubnet(fmt.Sprint(i), fmt.Sprintf("10.%d.%d.0/24", 100+i/256, i%256)))
	}
	for i := range 1000 {
		cluster.join(aNode(fmt.Sprint(i), []string{fmt.Sprintf("172.%d.%d.0/24", 16+i/256, i%256)}, fmt.Sprintf("192.168.%d.%d", i/256, i%256)))
	}
	r, _, _ := overlapping(cluster, &serves{})
	for i := 0; b.Loop(); i++ {
		cluster.nodes[500] = *aNode("500", []string{"172.17.244.0/24"}, fmt.Sprintf("192.169.0.%d", i%256))
		if _, err := r.Reconcile(b.Context(), ctrl.Request{}); err != nil {
			b.Fatal(err)
		}
	}
}

// added is a queue that notes what is added.
type added struct {
	queue
	names []string
}

func (a *added) Add(r ctrl.Request) { a.names = append(a.names, r.Name) }

func (a *added) take() []string {
	names := a.names
	a.names = nil
	slices.Sort(names)
	return names
}
