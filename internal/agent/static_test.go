//go:build integration

package agent_test

import (
	"testing"

	. "github.com/onsi/gomega"
)

// A static pod's sandbox has another UID than its mirror in the API.
func TestStaticPod(t *testing.T) {
	const static = "1fa419d8454b29b54d3295c64c05e200"
	w := start(t)
	w.network("one")
	pod := w.annotatedPod("etcd-node-a", map[string]string{
		"l2sm.io/networks": "one", "k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm",
		"kubernetes.io/config.hash": static, "kubernetes.io/config.mirror": static, "kubernetes.io/config.source": "file",
	})
	a := w.attach(pod, "one", "net1", 1)
	s := w.sandbox(pod, "c1")
	s.uid = static
	s.add()
	s.is(true)
	s.ok("CHECK")
	w.becomes(a, "True Ready", "the ADD has wired it")
	hot := w.attach(pod, "one", "hot0", 2)
	w.becomes(hot, "True Ready", "the watch finds its sandbox")
	pong := w.running("pong")
	b := w.attach(pong.pod, "one", "net1", 3)
	w.becomes(b, "True Ready", "a pod to talk to")
	transfer(t, s, pong, "10.0.0.3")

	g := NewWithT(t)
	bystander := w.running("bystander")
	before := w.runtime.Lists()
	w.deleteNow(bystander.pod)
	g.Eventually(w.runtime.Lists, patience, "5ms").Should(BeNumerically(">", before), "the sweep has looked")
	g.Consistently(w.left, "300ms", "20ms").Should(HaveLen(6), "and took nothing for left")

	s.ok("DEL")
	g.Expect(w.left()).To(HaveLen(2), "DEL removes both of its interfaces")
	next := w.sandbox(pod, "c2")
	next.uid = static
	next.add()
	next.is(true)
	next.ok("CHECK")
	w.becomes(hot, "True Ready", "the next sandbox has both")
	w.runtime.Remove("c2")
	w.deleteNow(pod)
	w.deleteNow(a)
	w.deleteNow(hot)
	g.Eventually(w.left, patience, "20ms").Should(HaveLen(2), "the pod is gone")
}
