package controllers

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
	"l2sm.io/l2sm/internal/multus"
	"l2sm.io/l2sm/internal/peers"
)

// What comes out of the cache is what the API has, but for what is said here to
// be dropped. A transform may run twice.
func TestKeptObjects(t *testing.T) {
	// All that is decoded of metadata but not kept of definitions.
	brief := func(m *metav1.ObjectMeta) { m.Generation, m.CreationTimestamp = 0, metav1.Time{} }
	cases := map[string]struct {
		reason  string
		object  client.Object
		dropped func(client.Object)
	}{
		"Attachment": {"of an annotation", cachedAttachment(1), func(client.Object) {}},
		"UserMade": {"what users add to it is no concern of ours", changed(cachedAttachment(1), func(a *v1alpha1.L2Attachment) {
			a.Labels = map[string]string{"app": "db", v1alpha1.ManagedByLabel: "helm"}
			a.Annotations = map[string]string{v1alpha1.PersistentAnnotation: "", "note": "x"}
			a.OwnerReferences, a.Finalizers = nil, []string{"example.com/a", "example.com/b"}
			a.Spec.PortSecurity, a.Spec.Addresses = v1alpha1.PortSecurityMAC, []string{"10.0.0.2/24", "fd00::2/64"}
			a.Status.Addresses, a.Status.Network.Name = "10.0.0.2/24, fd00::2/64", "old"
		}), func(o client.Object) {
			delete(o.GetLabels(), "app")
			delete(o.GetAnnotations(), "note")
		}},
		"New": {"nothing is written yet", &v1alpha1.L2Attachment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", DeletionTimestamp: &metav1.Time{}}, Spec: v1alpha1.L2AttachmentSpec{PodName: "ping", Addresses: []string{}},
		}, func(client.Object) {}},
		"Network": {"as kubectl applied it", cachedNetwork(1), func(o client.Object) { o.SetAnnotations(nil) }},
		"Refused": {"another spec is in force", changed(cachedNetwork(1), func(n *v1alpha1.L2Network) {
			mtu := int32(9000)
			n.Spec.MTU, n.Spec.IPAM.Subnets = &mtu, append(n.Spec.IPAM.Subnets, "fd00::/64")
			n.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
			n.Status.IPAM.Excluded = []string{"10.1.1.1"}
		}), func(o client.Object) { o.SetAnnotations(nil) }},
		"Stretched": {"its id and peers", changed(cachedNetwork(1), func(n *v1alpha1.L2Network) {
			n.Spec.Stretch = &v1alpha1.Stretch{ID: 5001, Peers: []string{"east"}}
			n.Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: "a", TunnelKey: 7, Peers: []v1alpha1.StretchPeer{{Name: "east", Joined: true, MACs: 3}}}
		}), func(o client.Object) { o.SetAnnotations(nil) }},
		"L2Peer": {"who it is, the edge alone reads", &v1alpha1.L2Peer{
			ObjectMeta: metav1.ObjectMeta{Name: "east", UID: "1", ResourceVersion: "2", Generation: 3},
			Spec: v1alpha1.L2PeerSpec{
				Type: v1alpha1.PeerCluster, Endpoints: []v1alpha1.PeerEndpoint{{Address: "192.0.2.1"}}, VNIs: []v1alpha1.VNIRange{{First: 1, Last: 9}},
				Namespaces: metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, MaxMACs: 1024,
			},
			Status: v1alpha1.L2PeerStatus{
				Conditions: []metav1.Condition{{Type: "Ready", Status: "True", Reason: "X"}, {Type: "TooManyMACs", Status: "True", Reason: "X"}},
				Sessions:   []v1alpha1.PeerSession{{Address: "192.0.2.1", Received: 9}},
				Networks:   []v1alpha1.PeerNetwork{{ID: 5001, Namespace: "a", Name: "b", MACs: 3, Refused: 2, MTU: 1400, Conflict: "10.0.0.1"}}, MACs: 3,
			},
		}, func(o client.Object) {
			p := o.(*v1alpha1.L2Peer)
			p.Spec.Type, p.Spec.Endpoints, p.Spec.MaxMACs = "", nil, 0
			p.Status.Conditions, p.Status.Sessions, p.Status.MACs = p.Status.Conditions[:1], nil, 0
		}},
		"L2Node": {"only Ready is read, and where peers may reach it", &v1alpha1.L2Node{
			ObjectMeta: metav1.ObjectMeta{Name: "node-a", UID: "1", ResourceVersion: "2"},
			Status: v1alpha1.L2NodeStatus{Chassis: "node-a", TunnelAddresses: []string{"10.0.0.1", "fd00::1"}, Conditions: []metav1.Condition{
				{Type: "Refused", Status: "True", Reason: "X"}, {Type: "Ready", Status: "False", Reason: "X", Message: "x", LastTransitionTime: metav1.Unix(1, 0)},
			}},
		}, func(o client.Object) {
			status := &o.(*v1alpha1.L2Node).Status
			status.Chassis, status.Conditions = "", status.Conditions[1:]
		}},
		"Remote": {"whose it is, is the garbage collector's to know", cachedRemote(1), func(o client.Object) {
			brief(&o.(*v1alpha1.L2Remote).ObjectMeta)
			o.SetOwnerReferences(nil)
		}},
		"RemoteOfNone": {"a peer that announces nothing", &v1alpha1.L2Remote{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}, Network: "net", Peer: "east"}, func(client.Object) {}},
		"Layer2":       {"without addresses", &v1alpha1.L2Network{ObjectMeta: cachedMeta("net", 1)}, func(client.Object) {}},
		"Definition": {"the config is that of its name", cachedDefinition(1), func(o client.Object) {
			brief(&o.(*nadv1.NetworkAttachmentDefinition).ObjectMeta)
		}},
		"PodNetworks": {"as is that of all pods", multus.PodNetworksDefinition(), func(client.Object) {}},
		"Edited": {"what a user made of it is to be seen, and mended", changed(cachedDefinition(1), func(d *nadv1.NetworkAttachmentDefinition) {
			d.Spec.Config = "{}"
			d.OwnerReferences = append([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}}, d.OwnerReferences...)
		}), func(o client.Object) { brief(&o.(*nadv1.NetworkAttachmentDefinition).ObjectMeta) }},
		"Others": {"the config of another plugin is not read", &nadv1.NetworkAttachmentDefinition{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "macvlan"}, Spec: nadv1.NetworkAttachmentDefinitionSpec{Config: `{"type":"macvlan"}`},
		}, func(o client.Object) { o.(*nadv1.NetworkAttachmentDefinition).Spec.Config = "" }},
		"OVNKubernetes": {"but for the subnets of OVN-Kubernetes'", &nadv1.NetworkAttachmentDefinition{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "theirs"},
			Spec:       nadv1.NetworkAttachmentDefinitionSpec{Config: `{"type":"ovn-k8s-cni-overlay","name":"x","subnets":"10.1.2.0/16/24, fd00::/64"}`},
		}, func(o client.Object) {
			o.(*nadv1.NetworkAttachmentDefinition).Spec.Config = `{"type":"ovn-k8s-cni-overlay","subnets":"10.1.0.0/16,fd00::/64"}`
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKept(t, tc.object)
			want := k.decoded(t, tc.object).(client.Object)
			want.SetManagedFields(nil)
			tc.dropped(want)
			got, err := k.transform(k.decoded(t, tc.object))
			if err != nil {
				t.Fatal(err)
			}
			if got, err = k.transform(got); err != nil {
				t.Fatal(err)
			}
			if small, is := got.(compact.Object); is {
				got = small.Expand()
			}
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// Of OVN-Kubernetes' own kinds the names are kept, and of the cluster-wide one which
// namespaces it selects: tenants and others may write anything else into them.
func TestKeptPeers(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "a", Name: "net", UID: "1", ResourceVersion: "2"}
	namespaced := &metav1.PartialObjectMetadata{ObjectMeta: meta}
	namespaced.SetGroupVersionKind(peers.Namespaced)
	large := namespaced.DeepCopy()
	large.Annotations, large.Labels = map[string]string{"a": "b"}, map[string]string{"a": "b"}
	clusterWide := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "k8s.ovn.org/v1", "kind": "ClusterUserDefinedNetwork", "metadata": map[string]any{"name": "net", "uid": "1", "resourceVersion": "2"},
		"spec": map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"a": "b"}}},
	}}
	larger := clusterWide.DeepCopy()
	larger.SetAnnotations(map[string]string{"a": "b"})
	if err := unstructured.SetNestedField(larger.Object, "Layer2", "spec", "network", "topology"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ has, want any }{{large, namespaced}, {larger, clusterWide}} {
		got, err := CacheOptions().DefaultTransform(tc.has)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func keptAs(t *testing.T, a *v1alpha1.L2Attachment) any {
	t.Helper()
	kept, err := keepAttachment(a)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func keptNetworkOf(t *testing.T, n client.Object) any {
	t.Helper()
	kept, err := keepNetwork(n)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func changed[T client.Object](o client.Object, change func(T)) client.Object {
	change(o.(T))
	return o
}

// A patch of what comes out of the cache leaves alone what the cache has not
// kept.
func TestPatchOfKeptDefinition(t *testing.T) {
	user := cachedDefinition(1).(*nadv1.NetworkAttachmentDefinition)
	user.Labels, user.Annotations = map[string]string{"app": "x"}, map[string]string{"note": "x"}
	user.Spec.Config, user.Finalizers = "{}", []string{"example.com/keep"}
	k := newKept(t, user)
	kept, err := k.transform(k.decoded(t, user))
	if err != nil {
		t.Fatal(err)
	}
	before := kept.(compact.Object).Expand().(*nadv1.NetworkAttachmentDefinition)
	after := before.DeepCopy()
	want := multus.NetworkDefinition(cachedNetwork(1).(*v1alpha1.L2Network))
	if !multus.Restore(after, want) {
		t.Fatal("nothing to restore")
	}
	text, err := client.MergeFrom(before).Data(after)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"metadata": map[string]any{"labels": map[string]any{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}},
		"spec":     map[string]any{"config": want.Spec.Config},
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Index functions run on any user's text, and on nothing else than their kind.
func TestIndexes(t *testing.T) {
	a := cachedAttachment(1).(*v1alpha1.L2Attachment)
	moves := a.DeepCopy()
	moves.Status.Network.Name = "old"
	both := cachedNetwork(1).(*v1alpha1.L2Network)
	both.Status.InForce = both.Spec.DeepCopy()
	both.Spec.Stretch = &v1alpha1.Stretch{ID: 5002, Peers: []string{"east", "west"}}
	both.Status.InForce.Stretch = &v1alpha1.Stretch{ID: 5001, Peers: []string{"east"}}
	pod := cachedPod(1).(*corev1.Pod)
	pod.Annotations[nadv1.NetworkAttachmentAnnot] = "l2sm-system/l2sm, mine, theirs/lab"
	pod.Annotations[multus.MainNetworkAnnotation] = "theirs/main"
	cases := map[string]struct {
		reason string
		index  func(any) ([]string, error)
		object any
		want   []string
	}{
		"Pod":     {"in its namespace", byPod, keptAs(t, a), []string{"tenant-01/pod-00001"}},
		"Network": {"in any", byNetwork, keptAs(t, a), []string{"__all_namespaces/tenant-01/net-00001"}},
		"Moves":   {"the one that it names, and the one that it is on", byNetwork, keptAs(t, moves), []string{"__all_namespaces/tenant-01/net-00001", "__all_namespaces/tenant-01/old"}},
		"Multus":  {"but for the definition of all pods", byDefinition, keptOf(t, pod), []string{"__all_namespaces/theirs/main", "__all_namespaces/tenant-01/mine", "__all_namespaces/theirs/lab"}},
		"Stretch": {"by what its status and its spec name", byStretch, keptNetworkOf(t, both), []string{
			"__all_namespaces/any", "__all_namespaces/id/5002", "__all_namespaces/peer/east", "__all_namespaces/peer/west", "__all_namespaces/id/5001",
		}},
		"Stays":    {"most networks stay here", byStretch, keptNetworkOf(t, cachedNetwork(1)), nil},
		"NoNet":    {"a tombstone", byStretch, "gone", nil},
		"Asks":     {"by our annotation alone", byDefinition, keptOf(t, cachedPod(1).(*corev1.Pod)), nil},
		"Plain":    {"a pod that asks for nothing", byDefinition, keptOf(t, plainPod(1).(*corev1.Pod)), nil},
		"NoPod":    {"a tombstone", byPod, "gone", nil},
		"NoOne":    {"a tombstone", byNetwork, "gone", nil},
		"NoMultus": {"a tombstone", byDefinition, "gone", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := tc.index(tc.object)
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", tc.reason, err, diff)
			}
		})
	}
}
