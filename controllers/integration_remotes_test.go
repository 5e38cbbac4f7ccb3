//go:build integration

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// announces has a peer announce the hosts on the network, as the edge writes it.
func (w *world) announces(peer, network string, hosts ...v1alpha1.RemoteHost) *v1alpha1.L2Remote {
	w.t.Helper()
	r := &v1alpha1.L2Remote{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: peer + "-" + network + "-0"}, Network: network, Peer: peer, Hosts: hosts}
	w.create(r)
	return r
}

func host(mac string, addresses ...string) v1alpha1.RemoteHost {
	return v1alpha1.RemoteHost{MACAddress: mac, Addresses: addresses}
}

// What a peer announces is no pod's here until it is withdrawn, also over a restart of
// the controller; then whoever waits for it is attached.
func TestRemoteAddressesAreHeld(t *testing.T) {
	w := start(t)
	w.network("wide", subnets("10.30.0.0/29"))
	w.pod("first", "wide")
	w.attached("first", 1)
	remote := w.announces("east", "wide", host("02:ee:00:00:00:02", "10.30.0.2"), host("02:ee:00:00:00:03", "10.30.0.3", "fd00::3"))

	w.pod("static", `[{"name":"wide","ips":["10.30.0.3"]}]`)
	w.refused("static", "AddressElsewhere", "peer east announces it; the pod is attached when it is withdrawn there")
	w.pod("mac", `[{"name":"wide","mac":"02:ee:00:00:00:02","ips":["10.30.0.6"]}]`)
	w.refused("mac", "AddressElsewhere", "MAC address 02:ee:00:00:00:02 is on another side of the network")
	w.pod("any", "wide")
	if a := w.attached("any", 1)[0]; a.Spec.Addresses[0] != "10.30.0.4/29" {
		t.Errorf("any address is %s, want the first that nobody has", a.Spec.Addresses[0])
	}

	w.restart()
	w.pod("later", `[{"name":"wide","ips":["10.30.0.2"]}]`)
	w.refused("later", "AddressElsewhere", "peer east")
	w.refused("static", "AddressElsewhere", "peer east")

	w.change(remote, func() { remote.Hosts = remote.Hosts[:1] })
	if a := w.attached("static", 1)[0]; a.Spec.Addresses[0] != "10.30.0.3/29" {
		t.Errorf("the static address is %s", a.Spec.Addresses[0])
	}
	w.refused("mac", "AddressElsewhere", "peer east")
	w.remove(remote)
	w.attached("mac", 1)
	w.attached("later", 1)
}

// A pod moves to another cluster and back, with its address: the attachment that a user
// made keeps it, and waits for as long as the other side has it.
func TestRemoteHasTheAddressOfAPodThatMoved(t *testing.T) {
	w := start(t)
	w.network("wide", subnets("10.30.0.0/24"))
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
			g.Expect(w.ports("wide")).To(BeEmpty())
		})
	}
	unbound()

	remote := w.announces("east", "wide", host(mac, "10.30.0.77"))
	w.pod("other", `[{"name":"wide","ips":["10.30.0.77"]}]`)
	w.refused("other", "AddressTaken", "db")
	pod = w.podWith("db", nil, nil)
	w.refused("db", "AddressElsewhere", "peer east announces it")
	w.told(pod, "AddressElsewhere", "peer east announces it")
	w.consistently(func(g Gomega) { g.Expect(w.ports("wide")).To(BeEmpty()) })
	w.restart()
	w.pod("touch", "wide")
	w.attached("touch", 1)
	w.refused("db", "AddressElsewhere", "peer east announces it")

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
	w.refused("db", "AddressElsewhere", "peer east announces it")
}
