//go:build integration

package policies_test

import (
	"context"
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

const edgeAccount = "l2sm-edge"

// edges has the cluster have edges on the nodes until the test ends.
func edges(t *testing.T, nodes ...string) {
	t.Helper()
	e := &v1alpha1.L2Edge{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.EdgeName}, Spec: v1alpha1.L2EdgeSpec{NodeSelector: map[string]string{"l2sm.io/edge": ""}, ASN: 65000}}
	create(t, e)
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), e); err != nil {
			t.Error(err)
		}
	})
	for _, node := range nodes {
		e.Status.Nodes = append(e.Status.Nodes, v1alpha1.EdgeNode{Name: node})
	}
	if err := admin.Status().Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// stretched is a network that goes on behind the peers.
func stretched(t *testing.T, namespace, name string, peers ...string) *v1alpha1.L2Network {
	t.Helper()
	n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	create(t, n)
	if len(peers) == 0 {
		return n
	}
	n.Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: "node-a"}
	for _, peer := range peers {
		n.Status.Stretch.Peers = append(n.Status.Stretch.Peers, v1alpha1.StretchPeer{Name: peer})
	}
	if err := admin.Status().Update(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return n
}

// remoteOf is what an edge writes of a peer on the network.
func remoteOf(n *v1alpha1.L2Network, peer string) *v1alpha1.L2Remote {
	return &v1alpha1.L2Remote{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: n.Namespace, Name: peer + "-" + n.Name,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "L2Network", Name: n.Name, UID: n.UID}},
		},
		Network: n.Name, Peer: peer, Hosts: []v1alpha1.RemoteHost{{MACAddress: "02:ee:00:00:00:01", Addresses: []string{"10.0.0.1"}}},
	}
}

// edgesMayAll gives edges all rights, so that what is refused is refused by a policy.
func edgesMayAll(t *testing.T) {
	t.Helper()
	all := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "all-"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: v1alpha1.SystemNamespace, Name: edgeAccount}},
	}
	create(t, all)
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), all); err != nil {
			t.Error(err)
		}
	})
}

func expectAllowed(t *testing.T, reason string, err error, allowed bool) {
	t.Helper()
	if allowed && err != nil || !allowed && !apierrors.IsForbidden(err) {
		t.Errorf("%s got error %v, want allowed %v", reason, err, allowed)
	}
}

func TestEdgeWritesRemotesOfItsPeers(t *testing.T) {
	namespace := newNamespace(t)
	joined, other, plain := stretched(t, namespace, "joined", "east"), stretched(t, namespace, "other", "west"), stretched(t, namespace, "plain")
	edges(t, "node-a", "node-b")
	changed := func(change func(*v1alpha1.L2Remote)) *v1alpha1.L2Remote {
		r := remoteOf(joined, "east")
		change(r)
		return r
	}
	cases := map[string]struct {
		reason  string
		claims  map[string][]string
		remote  *v1alpha1.L2Remote
		allowed bool
	}{
		"Own":         {"A peer that is in force on the network.", onNode("node-a"), remoteOf(joined, "east"), true},
		"Standby":     {"Which edge is active, the edges know among themselves.", onNode("node-b"), remoteOf(joined, "east"), true},
		"OtherPeer":   {"A peer of another network.", onNode("node-a"), remoteOf(joined, "west"), false},
		"NotNamed":    {"A network that goes on nowhere.", onNode("node-a"), remoteOf(plain, "east"), false},
		"OtherOwn":    {"Each network has its peers.", onNode("node-a"), remoteOf(other, "west"), true},
		"NoEdge":      {"A node that the administrator did not make an edge.", onNode("node-c"), remoteOf(joined, "east"), false},
		"NoClaim":     {"A token made by hand may come from anywhere.", nil, remoteOf(joined, "east"), false},
		"TwoNodes":    {"A token is of one node.", onNode("node-a", "node-b"), remoteOf(joined, "east"), false},
		"NoOwner":     {"It would outlive its network.", onNode("node-a"), changed(func(r *v1alpha1.L2Remote) { r.OwnerReferences = nil }), false},
		"OthersOwner": {"It would go with another network.", onNode("node-a"), changed(func(r *v1alpha1.L2Remote) { r.OwnerReferences[0].Name = "other" }), false},
		"Finalizer":   {"It could not be removed.", onNode("node-a"), changed(func(r *v1alpha1.L2Remote) { r.Finalizers = []string{"example.com/kept"} }), false},
	}
	eventually(t, func(g Gomega) {
		g.Expect(as(t, edgeAccount, onNode("node-a")).Create(t.Context(), remoteOf(joined, "east"), client.DryRunAll)).To(Succeed())
		g.Expect(apierrors.IsForbidden(as(t, edgeAccount, onNode("node-a")).Create(t.Context(), remoteOf(plain, "east"), client.DryRunAll))).To(BeTrue())
		g.Expect(apierrors.IsForbidden(as(t, edgeAccount, onNode("node-c")).Create(t.Context(), remoteOf(joined, "east"), client.DryRunAll))).To(BeTrue())
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := as(t, edgeAccount, tc.claims).Create(t.Context(), tc.remote.DeepCopy(), client.DryRunAll)
			expectAllowed(t, tc.reason, err, tc.allowed)
		})
	}

	edge := as(t, edgeAccount, onNode("node-a"))
	apply := func(peer string) error {
		text, err := json.Marshal(map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "L2Remote",
			"metadata": map[string]any{"name": "part", "ownerReferences": remoteOf(joined, peer).OwnerReferences},
			"network":  "joined", "peer": peer, "hosts": []any{map[string]any{"macAddress": "02:ee:00:00:00:02"}},
		})
		if err != nil {
			return err
		}
		part := &v1alpha1.L2Remote{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "part"}}
		return edge.Patch(t.Context(), part, client.RawPatch(types.ApplyPatchType, text), client.FieldOwner("l2sm-edge"), client.ForceOwnership)
	}
	expectAllowed(t, "What it applies,", apply("east"), true)
	expectAllowed(t, "as another peer's,", apply("west"), false)
	joined.Status.Stretch = nil
	if err := admin.Status().Update(t.Context(), joined); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(g Gomega) { g.Expect(apierrors.IsForbidden(apply("east"))).To(BeTrue()) })
	expectAllowed(t, "What is withdrawn", edge.Delete(t.Context(), &v1alpha1.L2Remote{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "part"}}), true)
}

func TestEdgeWritesStatusOfPeersOnly(t *testing.T) {
	peer := &v1alpha1.L2Peer{ObjectMeta: metav1.ObjectMeta{Name: "east"}, Spec: v1alpha1.L2PeerSpec{
		Endpoints: []v1alpha1.PeerEndpoint{{Address: "192.0.2.1"}}, ASN: 65000, VNIs: []v1alpha1.VNIRange{{First: 1, Last: 2}},
	}}
	create(t, peer)
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), peer); err != nil {
			t.Error(err)
		}
	})
	edges(t, "node-a")
	edgesMayAll(t)
	namespace := newNamespace(t)
	network := stretched(t, namespace, "net", "east")
	attachment := wired(t, namespace, "node-a")
	macs := client.RawPatch(types.MergePatchType, []byte(`{"status":{"macs":7}}`))
	cases := map[string]struct {
		reason  string
		node    string
		do      func(client.Client) error
		allowed bool
	}{
		"Status": {"What it sees of a peer,", "node-a", func(c client.Client) error {
			return c.Status().Patch(t.Context(), peer.DeepCopy(), macs, client.DryRunAll)
		}, true},
		"NoEdge": {"from a node that is no edge,", "node-b", func(c client.Client) error {
			return c.Status().Patch(t.Context(), peer.DeepCopy(), macs, client.DryRunAll)
		}, false},
		"Spec": {"what a peer may,", "node-a", func(c client.Client) error {
			return c.Patch(t.Context(), peer.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"maxMACs":9}}`)), client.DryRunAll)
		}, false},
		"Network": {"which peers a network has,", "node-a", func(c client.Client) error {
			return c.Status().Patch(t.Context(), network.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"stretch":{"id":6}}}`)), client.DryRunAll)
		}, false},
		"Edge": {"who is an edge,", "node-a", func(c client.Client) error {
			e := &v1alpha1.L2Edge{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.EdgeName}}
			return c.Status().Patch(t.Context(), e, client.RawPatch(types.MergePatchType, []byte(`{"status":{"active":"node-b"}}`)), client.DryRunAll)
		}, false},
		"Attachment": {"what an attachment has,", "node-a", func(c client.Client) error {
			return c.Status().Patch(t.Context(), attachment.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"mtu":9000}}`)), client.DryRunAll)
		}, false},
	}
	eventually(t, func(g Gomega) {
		g.Expect(cases["Status"].do(as(t, edgeAccount, onNode("node-a")))).To(Succeed())
		g.Expect(apierrors.IsForbidden(cases["NoEdge"].do(as(t, edgeAccount, onNode("node-b"))))).To(BeTrue())
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expectAllowed(t, tc.reason, tc.do(as(t, edgeAccount, onNode(tc.node))), tc.allowed)
			if !tc.allowed {
				expectAllowed(t, "Others are not concerned:", tc.do(admin), true)
			}
		})
	}
}

func TestEdgeTakesTheLeaseForItsNode(t *testing.T) {
	lease := func(name, holder string) *coordinationv1.Lease {
		l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}}
		l.Spec.HolderIdentity = &holder
		return l
	}
	edge := as(t, edgeAccount, onNode("node-a"))
	eventually(t, func(g Gomega) {
		err := edge.Create(t.Context(), lease(v1alpha1.EdgeLease, "node-b"), client.DryRunAll)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
	expectAllowed(t, "Another Lease,", edge.Create(t.Context(), lease("l2sm-controller", "node-a"), client.DryRunAll), false)
	expectAllowed(t, "without a claim,", as(t, edgeAccount, nil).Create(t.Context(), lease(v1alpha1.EdgeLease, ""), client.DryRunAll), false)
	held := lease(v1alpha1.EdgeLease, "node-a")
	if err := edge.Create(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), held); err != nil {
			t.Error(err)
		}
	})
	steps := []struct {
		reason, node, holder string
		allowed              bool
	}{
		{"It renews.", "node-a", "node-a", true},
		{"It puts nobody else in charge.", "node-a", "node-b", false},
		{"Another one does not depose it,", "node-b", "", false},
		{"but takes its place.", "node-b", "node-b", true},
		{"Who was deposed does not depose,", "node-a", "", false},
		{"but who has it gives it up.", "node-b", "", true},
	}
	for _, s := range steps {
		holder := s.holder
		held.Spec.HolderIdentity = &holder
		err := as(t, edgeAccount, onNode(s.node)).Update(t.Context(), held)
		expectAllowed(t, s.reason, err, s.allowed)
		get(t, held)
	}
}

// TestOnlyEdgesWriteRemotes: who may edit a namespace can't say that addresses are
// elsewhere, nor that they are not.
func TestOnlyEdgesWriteRemotes(t *testing.T) {
	namespace := newNamespace(t)
	network := stretched(t, namespace, "net", "east")
	edges(t, "node-a")
	remote := remoteOf(network, "east")
	eventually(t, func(g Gomega) {
		g.Expect(as(t, edgeAccount, onNode("node-a")).Create(t.Context(), remote.DeepCopy())).To(Succeed())
	})
	get(t, remote)
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "all"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}}
	create(t, role)
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "all"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "all"},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "owner"}},
	})
	config := rest.CopyConfig(config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "owner", Groups: []string{"system:authenticated"}}
	owner := newClient(t, config)
	patch := func(c client.Client, text string) error {
		return c.Patch(t.Context(), remote.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(text)), client.DryRunAll)
	}
	cases := map[string]struct {
		reason         string
		do             func(client.Client) error
		owner, anybody bool // who may
	}{
		"Create": {"Addresses are kept from pods,", func(c client.Client) error {
			r := remoteOf(network, "west")
			return c.Create(t.Context(), r, client.DryRunAll)
		}, false, false},
		"Change":    {"or given to them that others have,", func(c client.Client) error { return patch(c, `{"hosts":[]}`) }, false, false},
		"Peer":      {"by whoever it is said,", func(c client.Client) error { return patch(c, `{"peer":"west"}`) }, false, false},
		"Network":   {"or where,", func(c client.Client) error { return patch(c, `{"network":"other"}`) }, false, false},
		"Delete":    {"or until when.", func(c client.Client) error { return c.Delete(t.Context(), remote.DeepCopy(), client.DryRunAll) }, false, true},
		"Finalizer": {"Nor does a finalizer of others keep it,", func(c client.Client) error { return patch(c, `{"metadata":{"finalizers":["example.com/kept"]}}`) }, false, false},
		"Collector": {"but the garbage collector's.", func(c client.Client) error { return patch(c, `{"metadata":{"finalizers":["foregroundDeletion"]}}`) }, true, true},
		"Label":     {"Labels say nothing.", func(c client.Client) error { return patch(c, `{"metadata":{"labels":{"a":"b"}}}`) }, true, true},
	}
	eventually(t, func(g Gomega) { g.Expect(apierrors.IsForbidden(cases["Change"].do(owner))).To(BeTrue()) })
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expectAllowed(t, tc.reason, tc.do(owner), tc.owner)
			expectAllowed(t, "For an administrator: "+tc.reason, tc.do(admin), tc.anybody)
		})
	}

	// What nobody wants any more goes, where no edge is left that would take it away.
	expectAllowed(t, "For l2sm's own controller:", as(t, controllerAccount, nil).Delete(t.Context(), remote.DeepCopy(), client.DryRunAll), true)

	// The controllers that take along what belongs to what is gone.
	for _, name := range []string{"generic-garbage-collector", "namespace-controller"} {
		config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:kube-system:" + name, Groups: []string{"system:serviceaccounts", "system:authenticated"}}
		if err := newClient(t, config).Delete(t.Context(), remote.DeepCopy(), client.DryRunAll); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
