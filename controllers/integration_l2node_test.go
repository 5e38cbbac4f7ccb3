//go:build integration

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// l2node writes what a node's agent says of it.
func (w *world) l2node(n *v1alpha1.L2Node, ready metav1.Condition) {
	w.t.Helper()
	ready.LastTransitionTime = metav1.Now()
	n.Status.Conditions = []metav1.Condition{ready}
	if err := w.Status().Update(w.t.Context(), n); err != nil {
		w.t.Fatal(err)
	}
}

// A pod on a node that is not Ready is told so, and one that is wired is left
// alone: what its node says of its own interface counts.
func TestNodeNotReady(t *testing.T) {
	w := start(t)
	w.network("lab", v1alpha1.L2NetworkSpec{})
	node := &v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-"}}
	w.create(node)
	onNode := func(name string) *corev1.Pod {
		return w.podWith(name, map[string]string{v1alpha1.NetworksAnnotation: "lab"}, func(p *corev1.Pod) { p.Spec.NodeName = node.Name })
	}
	broken := v1alpha1.NodeNotReady(v1alpha1.TunnelErrors([]string{"to 192.0.2.2: no geneve"}, 1))
	w.l2node(node, v1alpha1.NodeReady(nil))

	waits, wired := onNode("waits"), onNode("wired")
	a, b := w.attached("waits", 1)[0], w.attached("wired", 1)[0]
	w.accepted(&a, waits)
	w.accepted(&b, wired)
	w.setReady(&b)
	if c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionNodeReady); c != nil {
		t.Errorf("its node is Ready, and the attachment says %v", c)
	}

	w.l2node(node, broken)
	w.reason(&a, v1alpha1.ConditionNodeReady, v1alpha1.ReasonNodeNotReady, "no geneve")
	w.told(waits, v1alpha1.ReasonNodeNotReady, "no geneve")
	if c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted); c == nil || c.Status != metav1.ConditionTrue {
		t.Errorf("condition Accepted is %v: the spec is valid all the same", c)
	}
	w.consistently(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(&b), &b)).To(Succeed())
		g.Expect(meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionNodeReady)).To(BeNil())
	})

	late := onNode("late")
	c := w.attached("late", 1)[0]
	w.reason(&c, v1alpha1.ConditionNodeReady, v1alpha1.ReasonNodeNotReady, "no geneve")
	w.accepted(&c, late)

	w.l2node(node, v1alpha1.NodeReady(nil))
	for _, is := range []*v1alpha1.L2Attachment{&a, &c} {
		w.eventually(func(g Gomega) {
			g.Expect(w.Get(t.Context(), keyOf(is), is)).To(Succeed())
			g.Expect(meta.FindStatusCondition(is.Status.Conditions, v1alpha1.ConditionNodeReady)).To(BeNil(), "the node is Ready again")
		})
	}
}
