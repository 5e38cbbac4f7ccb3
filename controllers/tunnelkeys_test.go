package controllers

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/heaptest"
	"l2sm.io/l2sm/internal/tunnelkey"
)

// keysOf are keys of a range, and what they have woken.
func keysOf(fabric v1alpha1.Fabric, first, last int32) (*tunnelKeys, *[]string) {
	var woken []string
	wake := func(names ...types.NamespacedName) {
		for _, name := range names {
			woken = append(woken, name.Name)
		}
	}
	return newTunnelKeys(fabric, tunnelkey.Range{First: first, Last: last}, keyWake{wake, wake}), &woken
}

// withKey is a network of that age, in hours, with a key on record.
func withKey(name string, key int32, age int) *v1alpha1.L2Network {
	n := networkOf(name)
	n.CreationTimestamp = metav1.NewTime(time.Unix(1_000_000, 0).Add(-time.Duration(age) * time.Hour))
	n.Status.TunnelKey, n.Status.InForce = key, &v1alpha1.L2NetworkSpec{}
	return n
}

// on is an attachment of that age with a port on record.
func on(network, name string, key int32, age int) *v1alpha1.L2Attachment {
	a := portOf(name)
	a.CreationTimestamp, a.ResourceVersion = withKey(network, 0, age).CreationTimestamp, "1"
	a.Spec.Network.Name = network
	a.Status.Network, a.Status.TunnelKey = &v1alpha1.NetworkReference{Namespace: "lab", Name: network}, key
	return a
}

// says is what a network has, in words.
func (k *tunnelKeys) says(n *v1alpha1.L2Network) string {
	key, problem := k.status(n)
	if problem != nil {
		return fmt.Sprint(problem.Reason, " ", key)
	}
	return fmt.Sprint(key)
}

// TestNetworkKeys is what networks have after each history. All begin with a, which
// has 10 of 10-12, and an order that starts at 11.
func TestNetworkKeys(t *testing.T) {
	cases := map[string]struct {
		reason string
		then   func(*tunnelKeys)
		of     *v1alpha1.L2Network
		want   string
	}{
		"New":          {"the next one", func(k *tunnelKeys) { k.network(networkOf("b")) }, networkOf("b"), "11"},
		"Again":        {"it is asked for at each look, and given once", func(k *tunnelKeys) { k.network(networkOf("b")); k.network(networkOf("b")) }, networkOf("b"), "11"},
		"Held":         {"what was forged is written over", func(k *tunnelKeys) { k.network(withKey("a", 12, 0)) }, withKey("a", 12, 0), "10"},
		"OnRecord":     {"one that a backup has brought back keeps what it had", func(k *tunnelKeys) { k.network(withKey("b", 12, 0)) }, networkOf("b"), "12"},
		"OtherRange":   {"so does one of a range that was configured before", func(k *tunnelKeys) { k.network(withKey("b", 900, 0)) }, networkOf("b"), "900"},
		"Nonsense":     {"what is no key is none", func(k *tunnelKeys) { k.network(withKey("b", -5, 0)) }, networkOf("b"), "11"},
		"TooLarge":     {"nor is what a tunnel can't carry", func(k *tunnelKeys) { k.network(withKey("b", 1<<24, 0)) }, networkOf("b"), "11"},
		"Taken":        {"two with one key would mix", func(k *tunnelKeys) { k.network(withKey("b", 10, 0)) }, withKey("b", 10, 0), "TunnelKeyTaken 10"},
		"TakenStays":   {"nodes may use it: whoever removes it asks for another", func(k *tunnelKeys) { k.network(withKey("b", 10, 0)); k.network(withKey("b", 10, 0)) }, withKey("b", 10, 0), "TunnelKeyTaken 10"},
		"TakenRemoved": {"it is removed", func(k *tunnelKeys) { k.network(withKey("b", 10, 0)); k.network(networkOf("b")) }, networkOf("b"), "11"},
		"TakenChanged": {"or replaced", func(k *tunnelKeys) { k.network(withKey("b", 10, 0)); k.network(withKey("b", 12, 0)) }, networkOf("b"), "12"},
		"TakenAndHolderGone": {"what another had is not its own at once", func(k *tunnelKeys) {
			k.network(withKey("b", 10, 0))
			k.networkGone(key("lab", "a"))
			k.network(withKey("b", 10, 0))
		}, withKey("b", 10, 0), "11"},
		"Exhausted": {"there are three", func(k *tunnelKeys) { k.network(networkOf("b")); k.network(networkOf("c")); k.network(networkOf("d")) }, networkOf("d"), "NoTunnelKey 0"},
		"ExhaustedAndFreed": {"and one is free again", func(k *tunnelKeys) {
			k.network(networkOf("b"))
			k.network(networkOf("c"))
			k.network(networkOf("d"))
			k.networkGone(key("lab", "b"))
			k.network(networkOf("d"))
		}, networkOf("d"), "11"},
		"Recreated": {"another of the name is another", func(k *tunnelKeys) { n := networkOf("a"); n.UID = "a2"; k.network(n) },
			func() *v1alpha1.L2Network { n := networkOf("a"); n.UID = "a2"; return n }(), "11"},
		"Unknown": {"nothing is said of one that was not judged", func(*tunnelKeys) {}, withKey("b", 77, 0), "77"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			k, _ := keysOf(v1alpha1.FabricZones, 10, 12)
			k.pool = tunnelkey.New(k.keys, k.keys.First)
			k.network(networkOf("a"))

			tc.then(k)

			if got := k.says(tc.of); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

// In OVN-Kubernetes' databases a key of its own is none.
func TestTheirKeysAreNone(t *testing.T) {
	k, _ := keysOf(v1alpha1.FabricOVNKubernetes, 10, 10)
	a := withKey("a", tunnelkey.FirstOfOVNKubernetes, 0)
	k.network(a)
	if got := k.says(a); got != "10" {
		t.Errorf("got %s, want one of the range", got)
	}
}

// Who waits for a key is woken, one for each that is freed.
func TestNetworkKeysWake(t *testing.T) {
	k, woken := keysOf(v1alpha1.FabricZones, 10, 11)
	for _, name := range []string{"a", "b", "c", "d"} {
		k.network(networkOf(name))
	}
	k.network(withKey("rival", k.ownKey(t, "a"), 0))
	expect := func(step string, want ...string) {
		t.Helper()
		slices.Sort(*woken)
		if diff := cmp.Diff(want, *woken); diff != "" {
			t.Errorf("%s: -want +got\n%s", step, diff)
		}
		*woken = nil
	}
	expect("nothing is freed", []string(nil)...)
	k.networkGone(key("lab", "b"))
	expect("the first in the line", "c")
	k.networkGone(key("lab", "c"))
	expect("it goes, and passes it on", "d")
	k.network(networkOf("d"))
	k.networkGone(key("lab", "a"))
	expect("the one that had the same on record, and nobody waits", "rival")
	if !k.waiting.empty() {
		t.Error("somebody waits still")
	}
}

// ownKey is the key that the network has.
func (k *tunnelKeys) ownKey(t *testing.T, name string) int32 {
	t.Helper()
	key, problem := k.status(networkOf(name))
	if problem != nil {
		t.Fatal(problem.Message)
	}
	return key
}

// A start takes what is on record: of two the older one's.
func TestLoadKeys(t *testing.T) {
	k, _ := keysOf(v1alpha1.FabricZones, 10, 20)
	networks := []v1alpha1.L2Network{*withKey("young", 12, 1), *withKey("old", 12, 3), *withKey("other", 13, 1), *withKey("none", 0, 9)}
	twin, older := on("old", "twin", 5, 1), on("old", "older", 5, 2)
	same := on("old", "same", 5, 2) // as old as the one that has it, and later in their order
	same.UID = older.UID + "x"
	elsewhere, unkeyed := on("other", "elsewhere", 5, 1), on("old", "unkeyed", 0, 9)
	k.load(networks, []v1alpha1.L2Attachment{*same, *twin, *older, *elsewhere, *unkeyed})
	for _, n := range networks {
		want := map[string]string{"young": "TunnelKeyTaken 12", "old": "12", "other": "13", "none": "0"}[n.Name]
		if got := k.says(&n); got != want {
			t.Errorf("network %s has %s, want %s", n.Name, got, want)
		}
	}
	for a, want := range map[*v1alpha1.L2Attachment]int32{older: 5, elsewhere: 5} {
		if got, err := k.port(withKey(a.Spec.Network.Name, k.ownKey(t, a.Spec.Network.Name), 0), a); got != want || err != nil {
			t.Errorf("%s has %d, %v, want %d", a.Name, got, err, want)
		}
	}
	got, err := k.port(withKey("old", 12, 3), twin)
	if err != nil || got == 5 || got == 0 {
		t.Errorf("of two with one key the younger one gets another: got %d, %v", got, err)
	}
	_, err = k.port(withKey("young", 12, 1), on("young", "x", 1, 1))
	if refused, is := admission.AsRefusal(err); !is || refused.Reason != v1alpha1.ReasonTunnelKeyTaken {
		t.Errorf("no port is on a network whose key is another's: got %v", err)
	}
}

// A port has no key before its network's is on record with its spec.
func TestPortAwaitsItsNetwork(t *testing.T) {
	k, _ := keysOf(v1alpha1.FabricZones, 10, 20)
	a, unwritten, bare, recreated := portOf("x"), networkOf("a"), withKey("a", 0, 0), networkOf("a")
	if key, err := k.port(unwritten, a); key != 0 || err != nil {
		t.Errorf("nothing is known of the network: got %d, %v", key, err)
	}
	k.network(unwritten)
	own := k.ownKey(t, "a")
	bare.Status.TunnelKey, bare.Status.InForce = own, nil
	recreated.UID = "a2"
	recreated.Status = withKey("a", own, 0).Status
	for reason, n := range map[string]*v1alpha1.L2Network{
		"its status is not written": unwritten, "no spec is in force": bare, "another key is on record": withKey("a", own+1, 0), "it is another of that name": recreated,
	} {
		if key, err := k.port(n, a); key != 0 || err != nil {
			t.Errorf("%s: got %d, %v", reason, key, err)
		}
	}
	if key, err := k.port(withKey("a", own, 0), a); key == 0 || err != nil {
		t.Errorf("all is on record: got %d, %v", key, err)
	}
}

// Giving out a key, and taking it back, costs the same with 10,000 networks as with
// a hundred.
func TestKeysDoNotGrow(t *testing.T) {
	cost := func(networks int) float64 {
		k, _ := keysOf(v1alpha1.FabricZones, 16000001, 16711682)
		for i := range networks {
			k.network(networkOf(fmt.Sprint("n-", i)))
		}
		n, a := networkOf("n"), portOf("x")
		return testing.AllocsPerRun(100, func() {
			k.network(n)
			n.Status.TunnelKey, n.Status.InForce = k.ownKey(t, "n"), &v1alpha1.L2NetworkSpec{}
			if _, err := k.port(n, a); err != nil {
				t.Fatal(err)
			}
			k.attachmentGone(a.Key())
			k.networkGone(n.Key())
			n.Status = v1alpha1.L2NetworkStatus{}
		})
	}
	if few, many := cost(100), cost(10_000); few == 0 || many > few {
		t.Errorf("a network and its port take %v allocations beside 100 networks and %v beside 10,000", few, many)
	}
}

// What is kept of a network and its one port.
func TestKeysAreSmall(t *testing.T) {
	const n, most = 4_000, 800
	networks, attachments := make([]*v1alpha1.L2Network, n), make([]*v1alpha1.L2Attachment, n)
	for i := range n {
		networks[i], attachments[i] = dualStack(i)
	}
	k, _ := keysOf(v1alpha1.FabricZones, 16000001, 16711682)
	each := heaptest.Retained(func() {
		for i, network := range networks {
			k.network(network)
			network.Status.TunnelKey, _ = k.status(network)
			network.Status.InForce = &network.Spec
			if key, err := k.port(network, attachments[i]); key == 0 || err != nil {
				t.Fatal(key, err)
			}
		}
	}) / n
	if each > most {
		t.Errorf("a network with one port holds %d bytes, want at most %d", each, most)
	}
	for i, network := range networks {
		k.attachmentGone(attachments[i].Key())
		k.networkGone(network.Key())
	}
	if len(k.networks)+len(k.held)+len(k.holders)+len(k.rivals) > 0 || !k.pool.Empty() {
		t.Error("what is gone is kept")
	}
	runtime.KeepAlive(networks)
	runtime.KeepAlive(attachments)
}

func BenchmarkNetworkKey(b *testing.B) {
	for _, networks := range []int{100, 10_000} {
		b.Run(fmt.Sprint(networks), func(b *testing.B) {
			k, _ := keysOf(v1alpha1.FabricZones, 16000001, 16711682)
			for i := range networks {
				k.network(networkOf(fmt.Sprint("n-", i)))
			}
			n := networkOf("n")
			for b.Loop() {
				k.network(n)
				k.networkGone(n.Key())
			}
		})
	}
}
