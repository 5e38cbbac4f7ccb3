//go:build integration

package controllers_test

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/tunnelkey"
	"l2sm.io/l2sm/ovn"
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
	w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed, "")
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
	w.network("quarantine", subnets("10.0.0.0/24"))
	seen := w.watchAttachments()
	pod := w.pod("p", "lab")
	w.refused("p", v1alpha1.ReasonNetworkNotFound, "lab")
	w.network("lab", subnets("10.0.0.0/24")) // it has an attachment before it has a key
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

// Where there is one northbound database, the controller asks in it for the keys that are on
// record: a database that starts empty gives every network and port the key that nodes use,
// also those that have not heard of it. New ones get others.
func TestKeysOnCentral(t *testing.T) {
	w := start(t)
	first, lab := w.network("first", subnets("10.9.0.0/24")), w.network("lab", subnets("10.0.0.0/24"))
	w.pod("p", "lab")
	w.pod("q", "lab")
	asked := map[string]string{}
	for _, n := range []*v1alpha1.L2Network{first, lab} {
		asked[ovn.Key(n.Key()).Switch()] = fmt.Sprint(w.keyed(n))
	}
	g := NewWithT(t)
	for _, pod := range []string{"p", "q"} {
		a := w.attached(pod, 1)[0]
		g.Expect(a.Status.TunnelKey).To(And(BeNumerically(">=", 1), BeNumerically("<=", tunnelkey.MaxPort)))
		asked[a.PortName()] = fmt.Sprint(a.Status.TunnelKey)
	}
	isAsked := func() {
		t.Helper()
		w.eventually(func(g Gomega) { g.Expect(w.requested()).To(Equal(asked)) })
	}
	isAsked()

	w.restart()
	isAsked()
	w.remove(first)
	delete(asked, ovn.Key(first.Key()).Switch())
	isAsked()
	w.NB.Wipe()
	isAsked()
	w.stop()
	w.NB.Wipe()
	w.run()
	isAsked()
	next := w.network("next", subnets("10.8.0.0/24"))
	g.Expect(maps.Values(asked)).NotTo(ContainElement(fmt.Sprint(w.keyed(next))))
}

// requested are the tunnel keys that the northbound database asks for, by the names of
// switches and ports.
func (w *world) requested() map[string]string {
	w.t.Helper()
	asked := map[string]string{}
	for table, column := range map[string]string{"Logical_Switch": "other_config", "Logical_Switch_Port": "options"} {
		rows := w.NB.Ctl("--format=csv", "--no-headings", "--columns=name,"+column, "list", table)
		for line := range strings.Lines(rows) {
			name, config, _ := strings.Cut(strings.TrimSpace(line), ",")
			_, key, _ := strings.Cut(config, "requested-tnl-key=")
			asked[strings.Trim(name, `"`)], _, _ = strings.Cut(strings.Trim(key, "\"}"), ",")
		}
	}
	return asked
}

// What a former version has left without keys goes on with those that OVN gave; what OVN
// can't tell of gets others.
func TestKeysOfTheFormerVersion(t *testing.T) {
	w := start(t)
	lab, other := w.network("lab", subnets("10.0.0.0/24")), w.network("other", subnets("10.1.0.0/24"))
	w.pod("p", "lab")
	w.keyed(lab)
	unknown := w.keyed(other)
	a := w.attached("p", 1)[0]
	w.stop()
	for _, o := range []client.Object{lab, other, &a} {
		w.record(o, 0)
	}
	w.NB.Wipe() // the former version asked for none
	w.SB.Ctl("--id=@d", "create", "Datapath_Binding", "tunnel_key=5", "external_ids:name="+ovn.Key(lab.Key()).Switch(), "--",
		"create", "Port_Binding", "datapath=@d", "tunnel_key=3", "logical_port="+a.PortName())
	w.run()
	w.eventually(func(g Gomega) {
		asked := w.requested()
		g.Expect(asked).To(HaveKeyWithValue(ovn.Key(lab.Key()).Switch(), "5"))
		g.Expect(asked).To(HaveKeyWithValue(a.PortName(), "3"))
		w.refresh(g, lab, other, &a)
		g.Expect([]int32{lab.Status.TunnelKey, a.Status.TunnelKey}).To(Equal([]int32{5, 3}))
		g.Expect(other.Status.TunnelKey).To(And(Not(Equal(unknown)), BeNumerically(">=", w.keys.First)))
	})
}

// A move that is refused keeps network and key; an attachment without a pod has
// neither.
func TestKeysOfMovesAndLives(t *testing.T) {
	w := startZoned(t, allKeys)
	w.network("lab", subnets("10.0.0.0/24"))
	w.network("elsewhere", subnets("10.9.0.0/24"))
	a := w.attach("db", "db-0", "lab")
	w.accepted(a, nil)
	g := NewWithT(t)
	g.Expect(a.Status.TunnelKey).To(BeZero(), "no pod, no port")
	pod := w.podWith("db-0", nil, nil)
	w.accepted(a, pod)
	key := a.Status.TunnelKey
	g.Expect(key).NotTo(BeZero())

	w.change(a, func() { a.Spec.Network.Name = "elsewhere" })
	w.reason(a, v1alpha1.ConditionAccepted, v1alpha1.ReasonOutOfRange, "the port stays on")
	g.Expect(a.Status.TunnelKey).To(Equal(key))
	g.Expect(a.Status.Network.Name).To(Equal("lab"))

	// What it had on the network that it leaves is free once it is seen to be gone.
	w.network("quarantine", subnets("10.0.0.0/24"))
	w.change(a, func() { a.Spec.Network.Name = "quarantine" })
	w.accepted(a, pod)
	address := strings.TrimSuffix(a.Spec.Addresses[0], "/24")
	w.pod("heir", fmt.Sprintf(`[{"name":"lab","ips":[%q]}]`, address))
	w.attached("heir", 1)
	w.pod("rival", fmt.Sprintf(`[{"name":"quarantine","ips":[%q]}]`, address))
	w.refused("rival", v1alpha1.ReasonAddressTaken, a.Name)

	w.remove(pod)
	w.accepted(a, nil)
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(a), a)).To(Succeed())
		g.Expect(a.Status.Network).To(BeNil())
		g.Expect(a.Status.PortName).To(BeEmpty())
		g.Expect(a.Status.TunnelKey).To(BeZero())
		g.Expect(a.Status.Addresses).NotTo(BeEmpty(), "they are reserved")
	})
	w.accepted(a, w.podWith("db-0", nil, nil))
	g.Expect(a.Status.TunnelKey).NotTo(BeZero())
}

// record writes a key into a status, as whoever may do so.
func (w *world) record(o client.Object, key int32) {
	w.t.Helper()
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"status":{"tunnelKey":%d}}`, key))
	if err := w.Status().Patch(w.t.Context(), o, patch); err != nil {
		w.t.Fatal(err)
	}
}

// older is the one of two that was there first, by the order of the controller.
func older[T client.Object](a, b T) (first, second T) {
	x, y := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if cmp.Or(x.Compare(y.Time), strings.Compare(string(a.GetUID()), string(b.GetUID()))) < 0 {
		return a, b
	}
	return b, a
}

// Two networks with one key on record: the younger one has no ports, and says so
// until its key is removed. Of two attachments the younger one gets another key.
func TestKeysTwiceOnRecord(t *testing.T) {
	w := startZoned(t, allKeys)
	first, second := older(w.network("lab", subnets("10.0.0.0/24")), w.network("copy", subnets("10.0.0.0/24")))
	key := w.keyed(first)
	w.keyed(second)
	w.pod("one", first.Name)
	w.pod("two", first.Name)
	w.pod("p", second.Name)
	one, two := w.attached("one", 1)[0], w.attached("two", 1)[0]
	elder, younger := older(&one, &two)
	w.attached("p", 1)

	w.stop()
	w.record(second, key)
	w.record(younger, elder.Status.TunnelKey)
	w.run()
	w.condition(second, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonTunnelKeyTaken, first.Namespace+"/"+first.Name)
	w.told(second, v1alpha1.ReasonTunnelKeyTaken, "frames of the two would mix")
	refused := w.refused("p", v1alpha1.ReasonTunnelKeyTaken, second.Name)
	g := NewWithT(t)
	g.Expect(refused.Status.Network).To(BeNil())
	g.Expect(refused.Status.TunnelKey).To(BeZero())
	g.Expect(w.keyed(first)).To(Equal(key))
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(younger), younger)).To(Succeed())
		g.Expect(younger.Status.TunnelKey).NotTo(Or(BeZero(), Equal(elder.Status.TunnelKey)))
	})
	w.pod("new", second.Name)
	w.refused("new", v1alpha1.ReasonTunnelKeyTaken, second.Name)

	patch := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/status/tunnelKey"}]`)) // as the condition says
	g.Expect(w.Status().Patch(t.Context(), second, patch)).To(Succeed())
	g.Expect(w.keyed(second)).NotTo(Equal(key))
	w.attached("p", 1)
	w.attached("new", 1)
}

// What is forged while the controller runs is written over.
func TestKeysAreForged(t *testing.T) {
	w := startZoned(t, allKeys)
	lab, other := w.network("lab", subnets("10.0.0.0/24")), w.network("other", subnets("10.1.0.0/24"))
	key := w.keyed(lab)
	w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	port := a.Status.TunnelKey
	w.record(lab, w.keyed(other))
	w.record(&a, port%tunnelkey.MaxPort+1)
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(lab), lab)).To(Succeed())
		g.Expect(w.Get(t.Context(), keyOf(&a), &a)).To(Succeed())
		g.Expect([]int32{lab.Status.TunnelKey, a.Status.TunnelKey}).To(Equal([]int32{key, port}))
	})
}

// Who finds all keys in use gets the first that is freed.
func TestKeysAreExhausted(t *testing.T) {
	w := startZoned(t, tunnelkey.Range{First: 7, Last: 7})
	lab := w.network("lab", subnets("10.0.0.0/24"))
	w.keyed(lab)
	late := w.network("late", subnets("10.0.0.0/24"))
	w.condition(late, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonNoTunnelKey, "7-7")
	w.pod("p", "late")
	w.refused("p", v1alpha1.ReasonNoTunnelKey, "late")
	w.restart()
	w.pod("q", "late")
	w.refused("q", v1alpha1.ReasonNoTunnelKey, "late")
	w.remove(lab)
	NewWithT(t).Expect(w.keyed(late)).To(BeEquivalentTo(7))
	w.attached("p", 1)
	w.attached("q", 1)
}
