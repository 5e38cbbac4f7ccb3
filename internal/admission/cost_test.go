package admission

import (
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/heaptest"
)

// A ledger keeps for each network, and for each attachment, what its decisions
// need, and not a copy of what the API's cache has. Many networks with one
// attachment each, as what the runtime keeps for itself would weigh on one.
func TestLedgerIsSmall(t *testing.T) {
	const networks = 4_000
	cases := map[string]struct {
		reason string
		fill   func(*Ledger, *api, []v1alpha1.L2Attachment)
		most   int
	}{
		"Restart": {"what is on record is read at once", func(l *Ledger, a *api, all []v1alpha1.L2Attachment) {
			l.Load(all, a)
		}, 1_500},
		"Attach": {"what is given out is held as small, when it is written", func(l *Ledger, a *api, all []v1alpha1.L2Attachment) {
			for i := range all {
				n := a.networks[all[i].NetworkKey()]
				l.Judge(n)
				l.Open(n.Key())
				asked := all[i]
				asked.UID, asked.Spec.MACAddress, asked.Spec.Addresses = "", "", nil
				if _, err := l.Take(Ask{Network: n, Attachment: &asked}); err != nil {
					t.Fatal(err)
				}
				l.Confirm(asked.Key(), all[i].UID)
			}
		}, 1_500},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, all := populated(networks)
			l, _ := opened()
			each := heaptest.Retained(func() { tc.fill(l, a, all) }) / networks
			if held := len(l.Snapshot()); held != networks {
				t.Fatalf("%d leases, want %d", held, networks)
			}
			if each > tc.most {
				t.Errorf("%s: a network with one attachment holds %d bytes, want at most %d", tc.reason, each, tc.most)
			}
			runtime.KeepAlive(all)
			runtime.KeepAlive(a)
		})
	}
}

// populated is an API that has n networks of two subnets, each in force, with one
// attachment each, bound and accepted.
func populated(n int) (*api, []v1alpha1.L2Attachment) {
	a, all := newAPI(), make([]v1alpha1.L2Attachment, n)
	for i := range all {
		network := net(fmt.Sprintf("network-%04d", i), fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff), fmt.Sprintf("fd00:%x::/64", i))
		network.UID = uid(i, "1")
		network.Labels = map[string]string{"team": "red"}
		network.Status.InForce = network.Spec.DeepCopy()
		a.networks[network.Key()] = network

		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("pod-%04d", i), UID: uid(i, "2")}}
		pod.Spec.NodeName = "node-a"
		a.pods[key(pod.Namespace, pod.Name)] = pod

		all[i] = *holds(key("default", fmt.Sprintf("pod-%04d-net1-1f4e07e7", i)), uid(i, "3"), network.Name, mac(i),
			fmt.Sprintf("10.%d.%d.7/24", i>>8, i&0xff), fmt.Sprintf("fd00:%x::7/64", i))
		all[i].Spec.PodName, all[i].Spec.PodUID, all[i].Spec.NodeName = pod.Name, pod.UID, pod.Spec.NodeName
		all[i].Annotations = map[string]string{v1alpha1.PersistentAnnotation: "true"}
		all[i].Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, ObservedGeneration: 1}}
	}
	return a, all
}

// uid is as long as the API's.
func uid(i int, kind string) types.UID {
	return types.UID(fmt.Sprintf("%08d-0000-4000-8000-%012s", i, kind))
}
