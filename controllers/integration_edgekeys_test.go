//go:build integration

package controllers_test

import (
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// shown are public keys as edges show them, of a node before and after a rotation.
var (
	shown = []string{"qgaAFXlqd2qCl6GP9T3pDc8FzmZ8LmYoDGjFMwzQr0A=", "6UPJwPWvgcLoVRTyRgIwkUBjNHRMh4HdAgkT1TIrEkg="}
	next  = []string{shown[1], "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw="}
)

// showKeys has the edge of a node write its public keys, as l2sm-edge does: each as a field
// manager of its own, since what one applied before and leaves out now is taken away.
func (o *outward) showKeys(node string, keys []string) {
	o.t.Helper()
	text, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "L2Edge", "metadata": map[string]any{"name": v1alpha1.EdgeName},
		"status": map[string]any{"nodes": []v1alpha1.EdgeNode{{Name: o.node(node), PublicKeys: keys}}},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	edge := &v1alpha1.L2Edge{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.EdgeName}}
	if err := o.Status().Patch(o.t.Context(), edge, client.RawPatch(types.ApplyPatchType, text), client.FieldOwner("l2sm-edge-"+node), client.ForceOwnership); err != nil {
		o.t.Fatal(err)
	}
}

// Edges and the controller write parts of one status: keys stay whatever the controller
// writes, and what an edge writes makes it write no more than Ready.
func TestEdgeKeys(t *testing.T) {
	w := start(t)
	w.stop()
	o := w.outward()
	o.change(o.edge, func() { o.edge.Spec.Encryption = v1alpha1.EncryptionWireGuard })
	w.run()
	has := func(active, reason string, a, b []string) {
		t.Helper()
		o.eventually(func(g Gomega) {
			g.Expect(o.Get(t.Context(), keyOf(o.edge), o.edge)).To(Succeed())
			g.Expect(o.edge.Status.Active).To(Equal(o.node(active)))
			g.Expect(o.edge.Status.Nodes).To(HaveLen(2))
			g.Expect(o.edge.Status.Nodes[0].PublicKeys).To(Equal(a))
			g.Expect(o.edge.Status.Nodes[1].PublicKeys).To(Equal(b))
			ready := meta.FindStatusCondition(o.edge.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Reason).To(Equal(reason))
		})
	}
	has("a", v1alpha1.ReasonAwaitsKeys, nil, nil)
	o.showKeys("a", shown)
	has("a", v1alpha1.ReasonReady, shown, nil)

	// The other edge's, and the next generation, concern no condition.
	writes := o.lag.counted("PATCH l2edges")
	o.showKeys("b", shown)
	o.showKeys("a", next)
	o.showKeys("a", next)
	o.consistently(func(g Gomega) { g.Expect(o.lag.counted("PATCH l2edges")).To(Equal(writes), "writes of the controller") })
	has("a", v1alpha1.ReasonReady, next, shown)

	o.change(o.lease, func() { o.lease.Spec.HolderIdentity = new(o.node("b")) })
	has("b", v1alpha1.ReasonReady, next, shown)
	o.showKeys("b", nil)
	has("b", v1alpha1.ReasonAwaitsKeys, next, nil)
	o.restart()
	o.change(o.lease, func() { o.lease.Spec.HolderIdentity = new(o.node("a")) })
	has("a", v1alpha1.ReasonReady, next, nil)
}
