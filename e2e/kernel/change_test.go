//go:build kernel

package kernel_test

import (
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// hotAttach attaches a pod that runs, and detaches it.
func (c *chain) hotAttach() {
	live := c.pod("live", second, "", 9)
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hot"},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: "live", Network: v1alpha1.NetworkReference{Name: "net"}, Addresses: []string{"10.101.0.9/16"}},
	}
	c.create(a)
	live.awaitReady("net")
	live.answers(c.ping.ips[0])
	live.shows("mtu")
	if err := c.Delete(c.Context(), a); err != nil {
		c.Fatal(err)
	}
	NewWithT(c).Eventually(func() string { return live.run("ip", "-o", "link") }, patience, "200ms").ShouldNot(ContainSubstring("net1"))
}

// move moves a pod to another network and back: who is on that one answers, and on the former does no more.
func (c *chain) move() {
	c.network("other")
	there := c.pod("there", second, "other", 4)
	there.awaitReady("other")
	before := c.near.shows("link/ether")
	for _, m := range []struct{ to, answers, silent string }{
		{"other", there.ips[0], c.pong.ips[0]},
		{"net", c.pong.ips[0], there.ips[0]},
	} {
		a := c.near.attachment()
		from := client.MergeFrom(a.DeepCopy())
		a.Spec.Network.Name = m.to
		if err := c.Patch(c.Context(), a, from); err != nil {
			c.Fatal(err)
		}
		c.near.awaitReady(m.to)
		c.near.answers(m.answers)
		if out, err := c.near.command("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", m.silent).CombinedOutput(); err == nil {
			c.Errorf("after the move to %s, a pod of the former network answers:\n%s", m.to, out)
		}
	}
	if after := c.near.shows("link/ether"); after != before {
		c.Errorf("the MAC is %s after the moves, was %s", after, before)
	}
}
