package controllers

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// saying are networks with what was said of them, in a cache.
type saying struct {
	client.Reader
	conditions map[string][]metav1.Condition
}

func (s saying) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	for name, conditions := range s.conditions {
		n := v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: name}}
		n.Status.Conditions = conditions
		into.(*v1alpha1.L2NetworkList).Items = append(into.(*v1alpha1.L2NetworkList).Items, n)
	}
	return nil
}

// When the last kind was read, and not before, what a controller said before is looked
// at again, and nothing else is.
func TestPeersAreRead(t *testing.T) {
	p := newPeerNetworks(reads{cached: saying{conditions: map[string][]metav1.Condition{
		"overlaps": {v1alpha1.NetworkOverlaps(v1alpha1.ReasonOverlapsPeers, "x")}, "named": {v1alpha1.NetworkSameName(key("lab", "named"), "x")},
		"cluster": {v1alpha1.NetworkOverlaps(v1alpha1.ReasonOverlapsPods, "x")}, "fine": {v1alpha1.NetworkAccepted()},
	}}})
	net := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net"}}
	statuses := &wakeups{}
	for range p.kinds() {
		if !p.compare(t.Context(), net).unknown || len(statuses.early) > 0 {
			t.Errorf("all is known before it was read, and %v are woken", statuses.early)
		}
		p.settled(t.Context(), statuses)
	}
	woken := map[types.NamespacedName]bool{}
	for _, request := range statuses.early {
		woken[request.NamespacedName] = true
	}
	if diff := cmp.Diff(map[types.NamespacedName]bool{key("lab", "overlaps"): true, key("lab", "named"): true}, woken); diff != "" || p.compare(t.Context(), net).unknown {
		t.Errorf("networks that are looked at again (-want +got):\n%s", diff)
	}
	if f := (*peerNetworks)(nil).compare(t.Context(), net); f.unknown {
		t.Error("on other fabrics there is nothing to know")
	}
}
