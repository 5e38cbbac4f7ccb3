//go:build integration

package policies_test

import (
	"context"
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// l2node is what an agent creates.
func l2node(name string) *v1alpha1.L2Node {
	return &v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{
		Name:            name,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: name, UID: "1"}},
	}}
}

func TestAgentWritesItsOwnNode(t *testing.T) {
	here, there := l2node("node-a"), l2node("node-b")
	create(t, here.DeepCopy())
	create(t, there.DeepCopy())
	report := func(ctx context.Context, c client.Client, n *v1alpha1.L2Node) error {
		text, err := json.Marshal(map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "L2Node", "metadata": map[string]any{"name": n.Name},
			"status": conditions(v1alpha1.NodeReady(nil)),
		})
		if err != nil {
			return err
		}
		return c.Status().Patch(ctx, n.DeepCopy(), client.RawPatch(types.ApplyPatchType, text), client.FieldOwner("l2sm-agent"), client.ForceOwnership, client.DryRunAll)
	}
	make := func(ctx context.Context, c client.Client, n *v1alpha1.L2Node) error {
		return c.Create(ctx, n.DeepCopy(), client.DryRunAll)
	}
	foreign, kept := l2node("node-c"), l2node("node-c")
	foreign.OwnerReferences[0].Kind = "Pod"
	kept.Finalizers = []string{"example.com/kept"}
	cases := map[string]struct {
		reason  string
		claims  map[string][]string
		do      func(context.Context, client.Client, *v1alpha1.L2Node) error
		of      *v1alpha1.L2Node
		allowed bool
	}{
		"Own":           {"An agent says how its node is.", onNode("node-a"), report, here, true},
		"Another":       {"And not how another is.", onNode("node-a"), report, there, false},
		"NoClaim":       {"A token made by hand may come from anywhere.", nil, report, here, false},
		"TwoNodes":      {"A token is of one node.", onNode("node-a", "node-b"), report, here, false},
		"Create":        {"It makes its node's.", onNode("node-c"), make, l2node("node-c"), true},
		"CreateAnother": {"And no other.", onNode("node-a"), make, l2node("node-c"), false},
		"Foreign":       {"It goes with the Node.", onNode("node-c"), make, foreign, false},
		"Finalizer":     {"And nothing keeps it.", onNode("node-c"), make, kept, false},
		"Spec": {"Its labels are not the agent's to change.", onNode("node-a"), func(ctx context.Context, c client.Client, n *v1alpha1.L2Node) error {
			return c.Patch(ctx, n.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`)), client.DryRunAll)
		}, here, false},
		"Delete": {"Nor is it the agent's to delete.", onNode("node-a"), func(ctx context.Context, c client.Client, n *v1alpha1.L2Node) error {
			return c.Delete(ctx, n.DeepCopy(), client.DryRunAll)
		}, here, false},
	}
	eventually(t, func(g Gomega) {
		err := report(t.Context(), as(t, agentAccount, nil), here)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := tc.do(t.Context(), as(t, agentAccount, tc.claims), tc.of)
			if tc.allowed && err != nil || !tc.allowed && !apierrors.IsForbidden(err) {
				t.Errorf("%s got error %v, want allowed %v", tc.reason, err, tc.allowed)
			}
		})
	}
}
