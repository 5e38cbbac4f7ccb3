//go:build integration

package policies_test

import (
	"context"
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Public keys of WireGuard.
const (
	oneKey     = "qgaAFXlqd2qCl6GP9T3pDc8FzmZ8LmYoDGjFMwzQr0A="
	anotherKey = "6UPJwPWvgcLoVRTyRgIwkUBjNHRMh4HdAgkT1TIrEkg="
)

// applyKeys writes the entry of the node as the field manager.
func applyKeys(t *testing.T, c client.Client, manager, node string, options ...client.SubResourcePatchOption) error {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "L2Edge", "metadata": map[string]any{"name": v1alpha1.EdgeName},
		"status": map[string]any{"nodes": []any{map[string]any{"name": node, "publicKeys": []string{oneKey, anotherKey}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &v1alpha1.L2Edge{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.EdgeName}}
	options = append(options, client.FieldOwner(manager), client.ForceOwnership)
	return c.Status().Patch(t.Context(), e, client.RawPatch(types.ApplyPatchType, text), options...)
}

// In the L2Edge's status an edge says its own public keys, and nothing that the controller
// or another edge says.
func TestEdgeWritesItsPublicKeysOnly(t *testing.T) {
	edges(t, "node-a", "node-b")
	e := &v1alpha1.L2Edge{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.EdgeName}}
	get(t, e)
	ready := v1alpha1.EdgeReady("node-a", []string{"node-b"})
	ready.LastTransitionTime = metav1.Now()
	e.Status.Active, e.Status.Conditions = "node-a", []metav1.Condition{ready}
	e.Status.Nodes[0].Address, e.Status.Nodes[1].Address = "192.0.2.1", "192.0.2.2"
	e.Status.Nodes[1].PublicKeys = []string{oneKey}
	if err := admin.Status().Update(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	edgesMayAll(t)
	a := as(t, edgeAccount, onNode("node-a"))
	change := func(change func(*v1alpha1.L2EdgeStatus)) func(client.Client) error {
		return func(c client.Client) error {
			changed := e.DeepCopy()
			change(&changed.Status)
			return c.Status().Update(t.Context(), changed, client.DryRunAll)
		}
	}
	own := change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes[0].PublicKeys = []string{oneKey, anotherKey} })
	cases := map[string]struct {
		reason  string
		claims  map[string][]string
		do      func(client.Client) error
		allowed bool
	}{
		"Own":     {"Its keys,", onNode("node-a"), own, true},
		"None":    {"or none,", onNode("node-b"), change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes[1].PublicKeys = nil }), true},
		"Apply":   {"as edges write them,", onNode("node-a"), func(c client.Client) error { return applyKeys(t, c, "l2sm-edge-node-a", "node-a", client.DryRunAll) }, true},
		"NoClaim": {"not from anywhere,", nil, own, false},
		"NoEdge":  {"nor from a node that is no edge,", onNode("node-c"), own, false},
		"Nothing": {"even if it changes nothing,", onNode("node-c"), change(func(*v1alpha1.L2EdgeStatus) {}), false},
		"Other":   {"not another's keys,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes[1].PublicKeys = []string{anotherKey} }), false},
		"Removed": {"nor their absence,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes[1].PublicKeys = nil }), false},
		"Address": {"not where it is,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes[0].Address = "192.0.2.9" }), false},
		"NoPlace": {"nor that it is nowhere,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes[0].Address = "" }), false},
		"Adds":    {"not that more nodes are edges,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes = append(s.Nodes, v1alpha1.EdgeNode{Name: "node-c"}) }), false},
		"Becomes": {"nor its own,", onNode("node-c"), func(c client.Client) error { return applyKeys(t, c, "l2sm-edge-node-c", "node-c", client.DryRunAll) }, false},
		"Drops":   {"nor fewer,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes = s.Nodes[:1] }), false},
		"Replace": {"nor others,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Nodes[1].Name = "node-c" }), false},
		"Active":  {"not which one is active,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Active = "node-b" }), false},
		"Nobody":  {"nor that none is,", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Active = "" }), false},
		"Ready":   {"not whether it is ready.", onNode("node-a"), change(func(s *v1alpha1.L2EdgeStatus) { s.Conditions[0].Reason = "AwaitsEdge" }), false},
	}
	eventually(t, func(g Gomega) {
		g.Expect(own(a)).To(Succeed())
		g.Expect(apierrors.IsForbidden(cases["Adds"].do(a))).To(BeTrue())
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expectAllowed(t, tc.reason, tc.do(as(t, edgeAccount, tc.claims)), tc.allowed)
			if !tc.allowed {
				expectAllowed(t, "Others are not concerned:", tc.do(admin), true)
			}
		})
	}

	// With one field manager for all, each would take the others' keys away.
	expectAllowed(t, "The first applies.", applyKeys(t, a, "l2sm-edge", "node-a"), true)
	expectAllowed(t, "As the same manager,", applyKeys(t, as(t, edgeAccount, onNode("node-b")), "l2sm-edge", "node-b"), false)
}

// An edge keeps its keys in the Secret of its node, and writes no other.
func TestEdgeWritesItsSecretOnly(t *testing.T) {
	edges(t, "node-a", "node-b")
	edgesMayAll(t)
	const keys = "l2sm.io/wireguard"
	secret := func(name string, kind corev1.SecretType, changes ...func(*corev1.Secret)) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.EdgeNamespace, Name: name}, Type: kind, Data: map[string][]byte{"key-1": []byte("x")}}
		for _, change := range changes {
			change(s)
		}
		return s
	}
	owner := func(node string) func(*corev1.Secret) {
		return func(s *corev1.Secret) {
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node, UID: types.UID(node)}}
		}
	}
	kept := func(s *corev1.Secret) { s.Finalizers = []string{"example.com/kept"} }
	token := func(s *corev1.Secret) {
		s.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
	}
	cases := map[string]struct {
		reason  string
		claims  map[string][]string
		secret  *corev1.Secret
		allowed bool
	}{
		"Own":       {"Its keys.", onNode("node-a"), secret("wireguard-node-a", keys), true},
		"Owned":     {"They go with the Node.", onNode("node-a"), secret("wireguard-node-a", keys, owner("node-a")), true},
		"Other":     {"Another's keys.", onNode("node-a"), secret("wireguard-node-b", keys), false},
		"Password":  {"A peer's password.", onNode("node-a"), secret("east", keys), false},
		"Namespace": {"Where others read.", onNode("node-a"), secret("wireguard-node-a", keys, func(s *corev1.Secret) { s.Namespace = v1alpha1.SystemNamespace }), false},
		"Opaque":    {"What L2Peers may name.", onNode("node-a"), secret("wireguard-node-a", corev1.SecretTypeOpaque), false},
		"Token":     {"The API server would fill it.", onNode("node-a"), secret("wireguard-node-a", corev1.SecretTypeServiceAccountToken, token), false},
		"NoClaim":   {"A token made by hand may come from anywhere.", nil, secret("wireguard-node-a", keys), false},
		"TwoNodes":  {"A token is of one node.", onNode("node-a", "node-b"), secret("wireguard-node-a", keys), false},
		"Finalizer": {"It could not be removed.", onNode("node-a"), secret("wireguard-node-a", keys, kept), false},
		"OthersOwn": {"It would go with another Node.", onNode("node-a"), secret("wireguard-node-a", keys, owner("node-b")), false},
	}
	a := as(t, edgeAccount, onNode("node-a"))
	eventually(t, func(g Gomega) {
		g.Expect(a.Create(t.Context(), cases["Own"].secret.DeepCopy(), client.DryRunAll)).To(Succeed())
		g.Expect(apierrors.IsForbidden(a.Create(t.Context(), cases["Other"].secret.DeepCopy(), client.DryRunAll))).To(BeTrue())
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expectAllowed(t, tc.reason, as(t, edgeAccount, tc.claims).Create(t.Context(), tc.secret.DeepCopy(), client.DryRunAll), tc.allowed)
		})
	}

	// Its own, which an administrator has wait for a finalizer; one of the other edge; and
	// one of its name that is somebody else's.
	mine, theirs, made := secret("wireguard-node-a", keys, kept), secret("wireguard-node-b", keys), secret("wireguard-node-c", corev1.SecretTypeOpaque)
	for _, s := range []*corev1.Secret{mine, theirs, made} {
		create(t, s)
		t.Cleanup(func() {
			if err := admin.Patch(context.Background(), s, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
				t.Error(err)
			}
			if err := admin.Delete(context.Background(), s); err != nil {
				t.Error(err)
			}
		})
	}
	next := `{"data":{"key-2":"eA=="}}`
	for name, tc := range map[string]struct {
		reason, node, patch string
		of                  *corev1.Secret
		allowed             bool
	}{
		"Next":      {"The next key.", "node-a", next, mine, true},
		"Theirs":    {"Another's.", "node-a", next, theirs, false},
		"Made":      {"It is no edge's.", "node-c", next, made, false},
		"Finalizer": {"It could not be removed.", "node-a", `{"metadata":{"finalizers":["example.com/kept", "example.com/more"]}}`, mine, false},
	} {
		t.Run("Patch"+name, func(t *testing.T) {
			err := as(t, edgeAccount, onNode(tc.node)).Patch(t.Context(), tc.of.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(tc.patch)), client.DryRunAll)
			expectAllowed(t, tc.reason, err, tc.allowed)
		})
	}
}
