//go:build integration

package agent_test

import (
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link/nstest"
)

// A pod with NET_ADMIN deletes its interface whenever it has one. In the four
// seconds it gets it back at once, and after 1 and 2 seconds: three losses, each with
// the writes that it is gone, that it is being wired, and that it is ready.
func TestPodDeletesItsInterfaceInALoop(t *testing.T) {
	const span, most = 4 * time.Second, 4 * 3
	w := start(t)
	w.network("one")
	pod := w.pod("ping", "one")
	a := w.attach(pod, "one", "net1", 1)
	s := w.sandbox(pod, "c1")
	s.add()
	s.is(true)
	g := NewWithT(t)
	g.Eventually(w.ready(a), patience, "20ms").Should(Equal("True Ready"))

	writes := w.countWrites()
	deletions := 0
	for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		nstest.Do(t, s.netns, func() error {
			inner, err := netlink.LinkByName("net1")
			if err == nil && netlink.LinkDel(inner) == nil {
				deletions++
			}
			return nil
		})
	}
	t.Logf("%d deletions, %d writes", deletions, writes.Load())
	if n := writes.Load(); deletions < 2 || n > most {
		t.Errorf("%d deletions by the pod cost %d writes, want at most %d", deletions, n, most)
	}
	g.Eventually(w.ready(a), patience, "20ms").Should(Equal("True Ready"), "the pod has its interface again when it stops")
}

// countWrites counts the changes of the attachments of the test's namespace from
// now on.
func (w *world) countWrites() *atomic.Int32 {
	w.t.Helper()
	c, err := client.NewWithWatch(api, client.Options{Scheme: scheme})
	if err != nil {
		w.t.Fatal(err)
	}
	var all v1alpha1.L2AttachmentList
	if err := w.List(w.t.Context(), &all, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	changes, err := c.Watch(w.t.Context(), &all, client.InNamespace(w.namespace))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(changes.Stop)
	var n atomic.Int32
	go func() {
		for e := range changes.ResultChan() {
			if e.Type == watch.Modified {
				n.Add(1)
			}
		}
	}()
	return &n
}
