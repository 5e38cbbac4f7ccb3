//go:build integration

package controllers_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// announces has a peer announce the hosts on the network, as the edge writes it.
func (o *outward) announces(peer, network string, hosts ...v1alpha1.RemoteHost) *v1alpha1.L2Remote {
	o.t.Helper()
	r := &v1alpha1.L2Remote{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: peer + "-" + network + "-0"}, Network: network, Peer: o.node(peer), Hosts: hosts}
	o.create(r)
	return r
}

// wide makes a network that goes on behind peers, with these subnets.
func (o *outward) wide(subnet string, peers ...string) *v1alpha1.L2Network {
	o.t.Helper()
	spec := subnets(subnet)
	spec.Stretch = &v1alpha1.Stretch{ID: nextID()}
	for _, p := range peers {
		spec.Stretch.Peers = append(spec.Stretch.Peers, o.node(p))
	}
	return o.network("wide", spec)
}

func host(mac string, addresses ...string) v1alpha1.RemoteHost {
	return v1alpha1.RemoteHost{MACAddress: mac, Addresses: addresses}
}

// What a peer announces is no pod's here until it is withdrawn, also over a restart of
// the controller; then whoever waits for it is attached.
func TestRemoteAddressesAreHeld(t *testing.T) {
	w := start(t).outward()
	w.peer("east")
	w.wide("10.30.0.0/29", "east")
	w.pod("first", "wide")
	w.attached("first", 1)
	w.stop() // so that it hears of it before the pods
	remote := w.announces("east", "wide", host("02:ee:00:00:00:02", "10.30.0.2"), host("02:ee:00:00:00:03", "10.30.0.3", "fd00::3"))
	w.run()

	w.pod("static", `[{"name":"wide","ips":["10.30.0.3"]}]`)
	w.refused("static", "AddressElsewhere", "peer "+w.node("east")+" announces it; the pod is attached when it is withdrawn there")
	w.pod("mac", `[{"name":"wide","mac":"02:ee:00:00:00:02","ips":["10.30.0.6"]}]`)
	w.refused("mac", "AddressElsewhere", "MAC address 02:ee:00:00:00:02 is on another side of the network")
	w.pod("any", "wide")
	if a := w.attached("any", 1)[0]; a.Spec.Addresses[0] != "10.30.0.4/29" {
		t.Errorf("any address is %s, want the first that nobody has", a.Spec.Addresses[0])
	}

	w.restart()
	w.pod("later", `[{"name":"wide","ips":["10.30.0.2"]}]`)
	w.refused("later", "AddressElsewhere", "peer "+w.node("east"))
	w.refused("static", "AddressElsewhere", "peer "+w.node("east"))

	w.change(remote, func() { remote.Hosts = remote.Hosts[:1] })
	if a := w.attached("static", 1)[0]; a.Spec.Addresses[0] != "10.30.0.3/29" {
		t.Errorf("the static address is %s", a.Spec.Addresses[0])
	}
	w.refused("mac", "AddressElsewhere", "peer "+w.node("east"))
	w.remove(remote)
	w.attached("mac", 1)
	w.attached("later", 1)
}

// A pod moves to another cluster and back, with its address: the attachment that a user
// made keeps it, and waits for as long as the other side has it.
func TestRemoteHasTheAddressOfAPodThatMoved(t *testing.T) {
	w := start(t).outward()
	w.peer("east")
	w.leads(w.wide("10.30.0.0/24", "east"), "a")
	edges := v1alpha1.PortOf(v1alpha1.EdgeOf(types.NamespacedName{Namespace: w.namespace, Name: "wide"}))
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "db"},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: "db", Network: v1alpha1.NetworkReference{Name: "wide"}, Addresses: []string{"10.30.0.77/24"}},
	}
	w.create(a)
	pod := w.podWith("db", nil, nil)
	mac := w.attached("db", 1)[0].Spec.MACAddress
	w.remove(pod)
	unbound := func() {
		t.Helper()
		w.eventually(func(g Gomega) {
			g.Expect(w.Get(t.Context(), keyOf(a), a)).To(Succeed())
			g.Expect(a.Bound()).To(BeFalse())
			g.Expect(w.ports("wide")).To(ConsistOf(edges))
		})
	}
	unbound()

	remote := w.announces("east", "wide", host(mac, "10.30.0.77"))
	w.pod("other", `[{"name":"wide","ips":["10.30.0.77"]}]`)
	w.refused("other", "AddressTaken", "db")
	pod = w.podWith("db", nil, nil)
	w.refused("db", "AddressElsewhere", "peer "+w.node("east")+" announces it")
	w.told(pod, "AddressElsewhere", "peer "+w.node("east")+" announces it")
	w.consistently(func(g Gomega) { g.Expect(w.ports("wide")).To(ConsistOf(edges)) })
	w.restart()
	w.pod("touch", "wide")
	w.attached("touch", 1)
	w.refused("db", "AddressElsewhere", "peer "+w.node("east")+" announces it")

	w.remove(remote)
	if back := w.attached("db", 1)[0]; back.Spec.MACAddress != mac || back.Spec.Addresses[0] != "10.30.0.77/24" {
		t.Errorf("it is back with %s and %v", back.Spec.MACAddress, back.Spec.Addresses)
	}
	w.refused("other", "AddressTaken", "db")

	// A route that comes late takes nothing from a pod that runs, nor does a restart.
	w.announces("east", "wide", host(mac, "10.30.0.77"))
	w.consistently(func(g Gomega) { g.Expect(w.ports("wide")).To(ContainElement(a.PortName())) })
	w.restart()
	w.pod("touch-again", "wide")
	w.attached("touch-again", 1)
	w.attached("db", 1)
	w.remove(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "db"}})
	w.eventually(func(g Gomega) { g.Expect(w.ports("wide")).NotTo(ContainElement(a.PortName())) })
	w.podWith("db", nil, nil)
	w.refused("db", "AddressElsewhere", "peer "+w.node("east")+" announces it")
}

// released waits until the L2Remote is gone, and what it held is a pod's.
func (o *outward) released(r *v1alpha1.L2Remote, pod string) {
	o.t.Helper()
	o.eventually(func(g Gomega) {
		g.Expect(apierrors.IsNotFound(o.Get(o.t.Context(), keyOf(r), &v1alpha1.L2Remote{}))).To(BeTrue())
	})
	o.attached(pod, 1)
}

// What a peer announces goes with the consent to it, also where no edge runs that would
// take it away: none does here. What another peer announces stays.
func TestRemotesEndWithConsent(t *testing.T) {
	ends := map[string]func(*outward, *v1alpha1.L2Network, *v1alpha1.L2Peer){
		"EdgeGone": func(o *outward, _ *v1alpha1.L2Network, _ *v1alpha1.L2Peer) { o.remove(o.edge) },
		"PeerGone": func(o *outward, _ *v1alpha1.L2Network, p *v1alpha1.L2Peer) { o.remove(p) },
		"IDRefused": func(o *outward, _ *v1alpha1.L2Network, p *v1alpha1.L2Peer) {
			o.change(p, func() { p.Spec.VNIs = []v1alpha1.VNIRange{{First: 1, Last: 2}} })
		},
		"NamespaceRefused": func(o *outward, _ *v1alpha1.L2Network, p *v1alpha1.L2Peer) {
			o.change(p, func() { p.Spec.Namespaces = metav1.LabelSelector{MatchLabels: map[string]string{"wan": "yes"}} })
		},
		"PeerTakenOut": func(o *outward, n *v1alpha1.L2Network, _ *v1alpha1.L2Peer) {
			o.change(n, func() { n.Spec.Stretch.Peers = []string{o.node("west")} })
		},
		"Unstretched": func(o *outward, n *v1alpha1.L2Network, _ *v1alpha1.L2Peer) {
			o.change(n, func() { n.Spec.Stretch = nil })
		},
	}
	for name, end := range ends {
		for _, away := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/ControllerAway=%t", name, away), func(t *testing.T) {
				o := start(t).outward()
				east := o.peer("east")
				o.peer("west", func(s *v1alpha1.L2PeerSpec) { s.Endpoints[0].Address = "198.51.100.2" })
				n := o.wide("10.30.0.0/24", "east", "west")
				o.leads(n, "a")
				o.stop() // so that it hears of them before the pod
				gone := o.announces("east", "wide", host("02:ee:00:00:00:02", "10.30.0.2"))
				stays := o.announces("west", "wide", host("02:ee:00:00:00:03", "10.30.0.3"))
				o.run()
				o.pod("static", `[{"name":"wide","ips":["10.30.0.2"]}]`)
				o.refused("static", "AddressElsewhere", "announces it")
				if away {
					o.stop()
				}
				end(o, n, east)
				if away {
					o.run()
				}
				o.released(gone, "static")
				if name == "EdgeGone" || name == "Unstretched" {
					o.released(stays, "static")
					return
				}
				o.consistently(func(g Gomega) { g.Expect(o.Get(t.Context(), keyOf(stays), stays)).To(Succeed()) })
			})
		}
	}
}

// That nothing carries a network at the moment says nothing of who has its addresses: a
// pod must not get one that a pod elsewhere has had all the time.
func TestRemotesOutliveAnEdgesNodes(t *testing.T) {
	o := start(t).outward()
	o.peer("east")
	n := o.wide("10.30.0.0/24", "east")
	o.leads(n, "a")
	o.stop() // so that it hears of it before the pod
	remote := o.announces("east", "wide", host("02:ee:00:00:00:02", "10.30.0.2"))
	o.run()
	o.pod("static", `[{"name":"wide","ips":["10.30.0.2"]}]`)
	o.refused("static", "AddressElsewhere", "announces it")

	for _, name := range []string{"a", "b"} {
		o.remove(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: o.node(name)}})
	}
	o.leadsNowhere(n)
	o.says(n, metav1.ConditionFalse, v1alpha1.ReasonNoEdge, "no node is the active edge")
	o.consistently(func(g Gomega) {
		g.Expect(o.Get(t.Context(), keyOf(remote), remote)).To(Succeed())
		g.Expect(o.ports("wide")).To(BeEmpty())
	})
	o.restart()
	o.consistently(func(g Gomega) { g.Expect(o.Get(t.Context(), keyOf(remote), remote)).To(Succeed()) })
	o.refused("static", "AddressElsewhere", "announces it")

	o.remove(o.edge)
	o.released(remote, "static")
}

// An edge that has not heard yet may write what was taken away.
func TestRemoteThatComesLateGoes(t *testing.T) {
	o := start(t).outward()
	p := o.peer("east")
	n := o.wide("10.30.0.0/24", "east")
	o.leads(n, "a")
	o.remove(p)
	o.leadsNowhere(n)
	late := o.announces("east", "wide", host("02:ee:00:00:00:02", "10.30.0.2"))
	o.pod("static", `[{"name":"wide","ips":["10.30.0.2"]}]`)
	o.released(late, "static")
	if err := o.Get(t.Context(), client.ObjectKey{Name: v1alpha1.EdgeName}, &v1alpha1.L2Edge{}); err != nil {
		t.Error(err)
	}
}
