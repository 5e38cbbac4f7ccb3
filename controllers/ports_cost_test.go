package controllers

import (
	"fmt"
	"runtime"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/heaptest"
)

// What is kept of a port, and of its network, is what a write needs of it. Many
// networks with one port each, as what the runtime keeps for itself would weigh
// on one.
func TestPortsAreSmall(t *testing.T) {
	const n, most = 4_000, 700
	networks, attachments := make([]*v1alpha1.L2Network, n), make([]*v1alpha1.L2Attachment, n)
	for i := range n {
		networks[i], attachments[i] = dualStack(i)
	}
	p := newPorts()
	each := heaptest.Retained(func() {
		for i, network := range networks {
			p.set(network, attachments[i])
			p.done(network.Key(), p.begin(network.Key(), 1))
			p.note(network.Key(), 1, nil)
		}
	}) / n
	for i, network := range networks {
		if !p.has(network.Key(), attachments[i]) {
			t.Fatalf("port of %s is not committed", attachments[i].Name)
		}
	}
	if each > most {
		t.Errorf("a network with one port holds %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(networks)
	runtime.KeepAlive(attachments)
}

// dualStack is the i-th of many networks with two subnets, and its attachment.
func dualStack(i int) (*v1alpha1.L2Network, *v1alpha1.L2Attachment) {
	id := func(kind int) types.UID { return types.UID(fmt.Sprintf("%08d-0000-4000-8000-%012d", i, kind)) }
	network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("network-%04d", i), UID: id(1), Generation: 1}}
	network.Spec.IPAM = &v1alpha1.IPAM{Subnets: []string{fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff), fmt.Sprintf("fd00:%x::/64", i)}}
	a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("pod-%04d-net1-1f4e07e7", i), UID: id(3), Generation: 1}}
	a.Spec = v1alpha1.L2AttachmentSpec{
		PodName: fmt.Sprintf("pod-%04d", i), PodUID: id(2), NodeName: "node-a", Interface: "net1",
		Network:    v1alpha1.NetworkReference{Namespace: "default", Name: network.Name},
		MACAddress: fmt.Sprintf("0a:58:0a:%02x:%02x:07", i>>8, i&0xff),
		Addresses:  []string{fmt.Sprintf("10.%d.%d.7/24", i>>8, i&0xff), fmt.Sprintf("fd00:%x::7/64", i)},
	}
	return network, a
}
