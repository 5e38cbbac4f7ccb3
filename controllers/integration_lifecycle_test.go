//go:build integration

package controllers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func lower(s string) string { return strings.ToLower(s) }

func keyOf(o client.Object) types.NamespacedName { return client.ObjectKeyFromObject(o) }

// A pod whose network comes later waits, and one write completes it.
func TestWaitingPodIsCompleted(t *testing.T) {
	w := start(t)
	pod := w.pod("early", "later")
	waiting := w.refused("early", "NetworkNotFound", "when it appears")
	w.told(pod, "NetworkNotFound", "later")

	w.network("later", subnets("10.0.0.0/24"))

	a := w.attached("early", 1)[0]
	g := NewWithT(t)
	g.Expect(a.UID).To(Equal(waiting.UID))
	g.Expect(a.Generation).To(Equal(waiting.Generation+1), "one write completed it")
	g.Expect(a.Spec.Addresses).To(Equal([]string{"10.0.0.1/24"}))
}

// A pod without a node holds no address.
func TestUnscheduledPodHoldsNothing(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	pod := w.podWith("pending", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, func(p *corev1.Pod) { p.Spec.NodeName = "" })
	w.change(pod, func() { pod.Annotations[v1alpha1.NetworksAnnotation] = "lab@data" })
	w.consistently(func(g Gomega) { g.Expect(w.attachments("pending")).To(BeEmpty()) })

	w.bind(pod, "node-b")
	NewWithT(t).Expect(w.attached("pending", 1)[0].Spec.NodeName).To(Equal("node-b"))
}

// What a pod held serves the next one as soon as the pod has ended or is gone.
func TestAddressesAreFreedAtOnce(t *testing.T) {
	cases := map[string]struct {
		reason string
		end    func(*world, *corev1.Pod)
	}{
		"Deleted":   {"a deleted pod's attachment goes before garbage collection finds it", func(w *world, p *corev1.Pod) { w.remove(p) }},
		"Succeeded": {"a job's pod that has ended needs no network", func(w *world, p *corev1.Pod) { w.setPhase(p, corev1.PodSucceeded) }},
		"Failed":    {"nor does one that has failed", func(w *world, p *corev1.Pod) { w.setPhase(p, corev1.PodFailed) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.network("tiny", subnets("10.0.0.1/32"))
			first := w.pod("first", "tiny")
			w.attached("first", 1)
			w.pod("second", "tiny")
			w.refused("second", "AddressesExhausted", "10.0.0.1/32")

			tc.end(w, first)

			a := w.attached("second", 1)[0]
			NewWithT(t).Expect(a.Spec.Addresses).To(Equal([]string{"10.0.0.1/32"}), tc.reason)
			NewWithT(t).Expect(w.attachments("first")).To(BeEmpty())
			NewWithT(t).Expect(w.ports("tiny")).To(ConsistOf(a.Status.PortName))
		})
	}
}

// A pod re-created under its name never meets its predecessor's port.
func TestPodIsRecreated(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	old := w.pod("db-0", "lab")
	before := w.attached("db-0", 1)[0]
	w.remove(old)
	w.pod("db-0", "lab")

	w.eventually(func(g Gomega) {
		all := w.attachments("db-0")
		g.Expect(all).To(HaveLen(1))
		g.Expect(all[0].Name).NotTo(Equal(before.Name))
		g.Expect(all[0].Spec.Addresses).NotTo(Equal(before.Spec.Addresses), "a released address rests")
	})
	after := w.attached("db-0", 1)[0]
	w.eventually(func(g Gomega) { g.Expect(w.ports("lab")).To(ConsistOf(after.Status.PortName)) })
}

// Correcting the annotation of a pod that waits is enough.
func TestAnnotationIsCorrected(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	pod := w.pod("p", `[{"name":"lab","ips":["10.9.0.1"]}]`)
	w.refused("p", "AddressOutOfRange", "10.0.0.0/24")

	w.change(pod, func() { pod.Annotations[v1alpha1.NetworksAnnotation] = `[{"name":"lab","ips":["10.0.0.77"]}]` })

	NewWithT(t).Expect(w.attached("p", 1)[0].Spec.Addresses).To(Equal([]string{"10.0.0.77/24"}))
}

// A network in use stays, says who uses it, and goes with the last one.
func TestNetworkIsDeletedLast(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/24"))
	pod := w.pod("p", "lab")
	a := w.attached("p", 1)[0]

	w.remove(n)

	w.condition(n, v1alpha1.ConditionDeleting, metav1.ConditionTrue, "InUse", a.Name)
	w.told(n, "InUse", "1 attachment left")
	w.pod("late", "lab")
	w.refused("late", "NetworkGone", "being deleted")
	w.consistently(func(g Gomega) {
		g.Expect(w.Get(t.Context(), keyOf(n), n)).To(Succeed())
		g.Expect(w.ports("lab")).To(ConsistOf(a.Status.PortName), "who is attached stays connected")
	})

	w.NB.Stop()
	w.remove(pod)
	w.eventually(func(g Gomega) { g.Expect(w.attachments("p")).To(BeEmpty()) })
	w.consistently(func(g Gomega) { g.Expect(w.Get(t.Context(), keyOf(n), n)).To(Succeed(), "its switch goes first") })
	w.NB.Start()

	w.eventually(func(g Gomega) {
		g.Expect(apierrors.IsNotFound(w.Get(t.Context(), keyOf(n), n))).To(BeTrue())
		g.Expect(w.switches()).To(BeEmpty())
	})
	w.refused("late", "NetworkNotFound", "lab")
}

func TestAllowedNamespaces(t *testing.T) {
	w := start(t)
	theirs := &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.other, Name: "theirs"},
		Spec:       subnets("10.0.0.1/32"),
	}
	theirs.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{
		From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": w.namespace}},
	}
	w.create(theirs)
	w.pod("p", w.other+"/theirs")
	w.refused("p", "NotAllowed", w.namespace)
	w.consistently(func(Gomega) { w.refused("p", "NotAllowed", w.namespace) })

	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.change(home, func() { home.Labels = map[string]string{"team": w.namespace} })
	a := w.attached("p", 1)[0]

	w.change(theirs, func() { theirs.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame} })
	w.refused("p", "NotAllowed", w.namespace)
	w.eventually(func(g Gomega) { g.Expect(w.NB.Ctl("list", "logical_switch_port")).To(BeEmpty()) })
	rival := w.podWith("rival", map[string]string{v1alpha1.NetworksAnnotation: "theirs"}, func(p *corev1.Pod) { p.Namespace = w.other })
	inOther := *w
	inOther.namespace = w.other
	NewWithT(t).Expect(inOther.attached("rival", 1)[0].Spec.Addresses).To(Equal(a.Spec.Addresses), "what a namespace had that was shut out is free")

	w.change(theirs, func() { theirs.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll} })
	w.refused("p", "AddressesExhausted", "10.0.0.1/32")
	w.remove(rival)
	NewWithT(t).Expect(w.attached("p", 1)[0].Spec.Addresses).To(Equal(a.Spec.Addresses), "it competes again when it is let in")
}

// A narrowing that would strand addresses is not put into force, says whom it
// would strand, and takes effect when they are gone.
func TestRangesChange(t *testing.T) {
	w := start(t)
	n := w.network("lab", v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}, Ranges: []string{"10.0.0.10-10.0.0.19"}}})
	pod := w.pod("p", "lab")
	a := w.attached("p", 1)[0]
	w.condition(n, v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted", "")

	w.change(n, func() { n.Spec.IPAM.Ranges = []string{"10.0.0.20-10.0.0.29"} })

	stranded := func() {
		w.condition(n, v1alpha1.ConditionAccepted, metav1.ConditionFalse, "Invalid", a.Name+" (10.0.0.10)")
		w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, "NotAccepted", "strand")
		NewWithT(t).Expect(n.Status.IPAM.Ranges).To(Equal([]string{"10.0.0.10-10.0.0.19"}))
		NewWithT(t).Expect(w.ports("lab")).To(ConsistOf(a.Status.PortName))
	}
	stranded()
	w.restart() // a new controller reads what is in force from the status
	w.change(n, func() { n.Labels = map[string]string{"touched": "yes"} })
	stranded()
	q := w.pod("q", "lab")
	NewWithT(t).Expect(w.attached("q", 1)[0].Spec.Addresses[0]).To(HavePrefix("10.0.0.1"))

	w.remove(pod)
	w.remove(q)
	w.condition(n, v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted", "")
	NewWithT(t).Expect(n.Status.IPAM.Ranges).To(Equal([]string{"10.0.0.20-10.0.0.29"}))
}

// What is known only in memory is rebuilt: by a new controller from the API, in
// an empty database from the API too.
func TestNothingIsLost(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24", "fd00::/64"))
	gone := w.network("gone", v1alpha1.L2NetworkSpec{})
	for i := range 5 {
		w.pod(fmt.Sprintf("p%d", i), "lab")
	}
	specs := func() map[string]v1alpha1.L2AttachmentSpec {
		all := map[string]v1alpha1.L2AttachmentSpec{}
		for i := range 5 {
			a := w.attached(fmt.Sprintf("p%d", i), 1)[0]
			all[a.Name] = a.Spec
		}
		return all
	}
	before := specs()
	rows := func() []string {
		lines := strings.Split(w.NB.Ctl("--columns=name,addresses,port_security", "--format=csv", "--no-headings", "list", "logical_switch_port"), "\n")
		slices.Sort(lines)
		return lines
	}
	ports := rows()
	g := NewWithT(t)

	t.Run("Restart", func(t *testing.T) {
		w.stop()
		w.remove(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "p4"}})
		w.change(gone, func() { gone.Finalizers = nil })
		w.remove(gone)
		w.run()
		delete(before, w.attachments("p4")[0].Name)
		w.eventually(func(g Gomega) {
			g.Expect(w.attachments("p4")).To(BeEmpty(), "who went meanwhile is gone")
			g.Expect(w.switches()).To(HaveLen(1), "a network that went meanwhile is swept")
			g.Expect(w.ports("lab")).To(HaveLen(4))
		})
		w.pod("p4", "lab")
		after := specs()
		g.Expect(after).To(HaveLen(5))
		for name, spec := range before {
			g.Expect(after[name]).To(Equal(spec), "what was assigned stays assigned")
		}
		addresses := map[string]bool{}
		for _, spec := range after {
			addresses[spec.Addresses[0]] = true
		}
		g.Expect(addresses).To(HaveLen(5), "no address twice")
		ports = rows()
	})

	t.Run("Wipe", func(t *testing.T) {
		w.NB.Wipe()
		w.eventually(func(g Gomega) { g.Expect(rows()).To(Equal(ports)) })
	})

	t.Run("EditedByHand", func(t *testing.T) {
		victim := w.attached("p0", 1)[0].Status.PortName
		w.NB.Ctl("lsp-del", victim)
		w.eventually(func(g Gomega) { g.Expect(rows()).To(Equal(ports)) })
	})
}

// Without its database the controller goes on assigning, says what is missing,
// and catches up.
func TestNorthboundIsAway(t *testing.T) {
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/24"))
	w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed", "")
	w.NB.Stop()

	w.pod("p", "lab")
	w.eventually(func(g Gomega) {
		g.Expect(w.attachments("p")).To(HaveLen(1))
		g.Expect(w.attachments("p")[0].Complete()).To(BeTrue())
	})
	w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, "NorthboundUnavailable", "keeps working")

	w.NB.Start()
	a := w.attached("p", 1)[0]
	NewWithT(t).Expect(w.ports("lab")).To(ConsistOf(a.Status.PortName))
	w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed", "1 port")
}

// 200 pods at once: no address twice, and far fewer transactions than pods.
func TestBurst(t *testing.T) {
	const pods = 200
	w := start(t)
	n := w.network("lab", subnets("10.0.0.0/16", "fd00::/64"))
	w.condition(n, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed", "")
	before := w.NB.Commits()
	created := make(chan error, pods)
	began := time.Now()
	for i := range pods {
		go func() {
			created <- w.Create(t.Context(), &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: fmt.Sprintf("p%d", i), Annotations: map[string]string{v1alpha1.NetworksAnnotation: "lab"}},
				Spec:       corev1.PodSpec{NodeName: "node-a", Containers: []corev1.Container{{Name: "c", Image: "none"}}},
			})
		}()
	}
	for range pods {
		if err := <-created; err != nil {
			t.Fatal(err)
		}
	}
	made := time.Since(began)
	w.eventually(func(g Gomega) { g.Expect(w.ports("lab")).To(HaveLen(pods)) })
	committed := time.Since(began)

	list := &v1alpha1.L2AttachmentList{}
	if err := w.List(t.Context(), list, client.InNamespace(w.namespace)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, a := range list.Items {
		for _, value := range append([]string{a.Spec.MACAddress}, a.Spec.Addresses...) {
			if other, twice := seen[value]; twice {
				t.Errorf("%s is assigned to %s and to %s", value, other, a.Name)
			}
			seen[value] = a.Name
		}
	}
	commits := w.NB.Commits() - before
	t.Logf("%d pods created in %s, all ports committed after %s, by %d transactions", pods, made, committed, commits)
	if commits > pods/2 {
		t.Errorf("%d transactions for %d pods: a burst does not coalesce", commits, pods)
	}
}
