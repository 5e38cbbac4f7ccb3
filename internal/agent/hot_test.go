//go:build integration

package agent_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
)

// running is a pod that asks for nothing, with its sandbox ready.
func (w *world) running(name string) *sandbox {
	w.t.Helper()
	s := w.sandbox(w.annotatedPod(name, nil), "c-"+name)
	s.is(true)
	return s
}

// has says of an interface in the sandbox what it looks like.
func (s *sandbox) has(iface string) func() (link.Interface, error) {
	return func() (link.Interface, error) { return link.Inspect(s.netns, iface) }
}

func TestHotPlug(t *testing.T) {
	w := start(t)
	w.network("one")
	ping, pong := w.running("ping"), w.running("pong")
	a := w.attach(ping.pod, "one", "net1", 1)
	b := w.attach(pong.pod, "one", "data0", 2)
	g := NewWithT(t)
	for _, x := range []*v1alpha1.L2Attachment{a, b} {
		g.Eventually(w.ready(x), patience, "5ms").Should(Equal("True Ready"))
	}
	is, err := link.Inspect(pong.netns, "data0")
	if err != nil || is.MTU != 1442 || is.MAC.String() != b.Spec.MACAddress || len(is.Addresses) != 2 {
		t.Errorf("the interface is %+v (error %v)", is, err)
	}
	transfer(t, ping, pong, "10.0.0.2")
	transfer(t, pong, ping, "fd10::1")

	w.deleteNow(b)
	g.Eventually(w.left, patience, "5ms").Should(HaveLen(2), "what is deleted is unplugged")
	if _, err := link.Inspect(pong.netns, "data0"); err == nil {
		t.Error("the interface is still in the pod")
	}
	again := w.attach(pong.pod, "one", "data0", 2)
	g.Eventually(w.ready(again), patience, "5ms").Should(Equal("True Ready"), "a running pod is plugged any number of times")
	transfer(t, ping, pong, "10.0.0.2")
}
