//go:build integration

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/tunnelkey"
)

// startZoned is start where every node has a northbound database of its own.
func startZoned(t *testing.T, keys tunnelkey.Range) *world {
	t.Helper()
	w := &world{fabric: v1alpha1.FabricZones, keys: keys}
	w.startOn(t, shared)
	return w
}

// allKeys are more than a test needs.
var allKeys = tunnelkey.Range{First: 16000001, Last: 16711682}

// keyed waits until the network has a key on record, and returns it.
func (w *world) keyed(n *v1alpha1.L2Network) int32 {
	w.t.Helper()
	w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed, "tunnel key")
	g := NewWithT(w.t)
	g.Expect(n.Status.TunnelKey).To(And(BeNumerically(">=", w.keys.First), BeNumerically("<=", w.keys.Last)))
	g.Expect(n.Status.InForce).NotTo(BeNil())
	return n.Status.TunnelKey
}

// watchAttachments has the API tell of each version of the namespace's attachments.
// What it returns waits for one to be deleted, and has all before.
func (w *world) watchAttachments() (seen func() []v1alpha1.L2Attachment) {
	w.t.Helper()
	c, err := client.NewWithWatch(w.api.Config, client.Options{Scheme: scheme})
	if err != nil {
		w.t.Fatal(err)
	}
	events, err := c.Watch(w.t.Context(), &v1alpha1.L2AttachmentList{}, client.InNamespace(w.namespace))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(events.Stop)
	return func() (all []v1alpha1.L2Attachment) {
		w.t.Helper()
		for {
			select {
			case e := <-events.ResultChan():
				if e.Type == watch.Deleted {
					return all
				}
				all = append(all, *e.Object.(*v1alpha1.L2Attachment))
			case <-time.After(patience):
				w.t.Fatal("no attachment is deleted")
			}
		}
	}
}

// A network and its attachments get keys, no two the same, and all of what a node
// needs in one write; another controller finds them as they are.
func TestKeys(t *testing.T) {
	const pods = 50
	w := startZoned(t, allKeys)
	lab := w.network("lab", subnets("10.0.0.0/24"))
	other := w.network("other", subnets("10.1.0.0/24"))
	key := w.keyed(lab)
	g := NewWithT(t)
	g.Expect(w.keyed(other)).NotTo(Equal(key))
	for i := range pods {
		w.pod(fmt.Sprint("p-", i), "lab")
	}
	keys, holders := map[string]int32{}, map[int32]string{}
	for i := range pods {
		a := w.attached(fmt.Sprint("p-", i), 1)[0]
		g.Expect(a.Status.TunnelKey).To(And(BeNumerically(">=", 1), BeNumerically("<=", tunnelkey.MaxPort)))
		g.Expect(holders).NotTo(HaveKey(a.Status.TunnelKey), "%s has the key of %s", a.Name, holders[a.Status.TunnelKey])
		keys[a.Name], holders[a.Status.TunnelKey] = a.Status.TunnelKey, a.Name
		g.Expect(a.Status.Network).To(Equal(&v1alpha1.NetworkReference{Namespace: w.namespace, Name: "lab"}))
		g.Expect(a.Status.PortName).To(Equal(a.PortName()))
		g.Expect(a.Status.MTU).To(BeEquivalentTo(maxMTU))
	}
	g.Expect(w.switches()).To(BeEmpty(), "the controller writes no database")

	w.restart()
	w.pod("new", "lab")
	g.Expect(holders).NotTo(HaveKey(w.attached("new", 1)[0].Status.TunnelKey))
	g.Expect(w.keyed(lab)).To(Equal(key))
	for i := range pods {
		a := w.attached(fmt.Sprint("p-", i), 1)[0]
		g.Expect(a.Status.TunnelKey).To(Equal(keys[a.Name]), a.Name)
	}
}

// What one write brings is read from the API, version by version: the network never
// without a key, the key never without what else a node needs.
func TestKeysInOneWrite(t *testing.T) {
	w := startZoned(t, allKeys)
	w.network("lab", subnets("10.0.0.0/24"))
	w.network("quarantine", subnets("10.0.0.0/24"))
	seen := w.watchAttachments()
	pod := w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	w.change(&a, func() { a.Spec.Network.Name = "quarantine" })
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(&a), &a)).To(Succeed())
		g.Expect(a.Status.Network.Name).To(Equal("quarantine"))
	})
	w.remove(pod)
	g := NewWithT(t)
	var shows []string
	for _, a := range seen() {
		on := "nothing"
		if a.Status.Network != nil {
			on = a.Status.Network.Name
		}
		complete := a.Status.TunnelKey != 0 && a.Status.PortName != "" && a.Status.MTU != 0 && len(a.Status.Conditions) > 0
		nothing := a.Status.TunnelKey == 0 && a.Status.PortName == "" && a.Status.MTU == 0
		g.Expect(on == "nothing").To(Equal(nothing), "%s: %+v", on, a.Status)
		g.Expect(complete).To(Equal(!nothing), "%s: %+v", on, a.Status)
		if len(shows) == 0 || shows[len(shows)-1] != on {
			shows = append(shows, on)
		}
	}
	g.Expect(shows).To(Equal([]string{"nothing", "lab", "quarantine"}))
}

// On one northbound database for all, no key is written.
func TestNoKeysOnCentral(t *testing.T) {
	w := start(t)
	lab := w.network("lab", subnets("10.0.0.0/24"))
	w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	w.condition(lab, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed, "")
	NewWithT(t).Expect([]int32{a.Status.TunnelKey, lab.Status.TunnelKey}).To(Equal([]int32{0, 0}))
}
