//go:build integration

package topology_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

var patience = nstest.Patience(15 * time.Second)

// dual are addresses of both families.
var dual = &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24", "fd10::/64"}}

// world is a real OVN and the product's client of it.
type world struct {
	*ovstest.OVN
	client   *ovn.Client
	networks int
}

func start(t *testing.T) *world {
	t.Helper()
	o := ovstest.StartOVN(t)
	client, err := ovn.Dial(context.Background(), ovn.Config{Endpoints: []string{o.Northbound()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &world{OVN: o, client: client}
}

// lab is one network of the world with its pods.
type lab struct {
	*world
	network     *v1alpha1.L2Network
	attachments []*v1alpha1.L2Attachment
}

func (w *world) lab(t *testing.T, spec v1alpha1.L2NetworkSpec) *lab {
	t.Helper()
	w.networks++
	l := &lab{world: w, network: &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: fmt.Sprintf("net-%d", w.networks), UID: types.UID(fmt.Sprint(w.networks))}, Spec: spec,
	}}
	l.apply(t)
	return l
}

// apply has OVN hold what the mapping makes of the lab.
func (l *lab) apply(t *testing.T) {
	t.Helper()
	if _, err := l.client.Apply(t.Context(), topology.For(l.network, l.attachments, nil, 1442)); err != nil {
		t.Fatal(err)
	}
}

// pod makes the n-th pod of the lab, wired as an agent does.
func (l *lab) pod(t *testing.T, n byte, change ...func(*v1alpha1.L2AttachmentSpec)) endpoint {
	t.Helper()
	e := endpoint{
		ns: nstest.NewNS(t), mac: net.HardwareAddr{0x0a, 0x58, 10, 0, byte(l.networks), n},
		v4: netip.AddrFrom4([4]byte{10, 0, 0, n}), v6: netip.MustParseAddr(fmt.Sprintf("fd10::%x", n)),
	}
	uid := fmt.Sprintf("%d-%d", l.networks, n)
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "pod-" + uid, UID: types.UID(uid)},
		Spec:       v1alpha1.L2AttachmentSpec{PodUID: types.UID("of-" + uid), NodeName: "test", MACAddress: e.mac.String()},
	}
	want := link.Interface{Name: "net1", MAC: e.mac, MTU: 1442, AcceptRA: l.network.AllowsRole(v1alpha1.RoleRouter)}
	if l.network.Spec.IPAM != nil {
		want.Addresses = []netip.Prefix{netip.PrefixFrom(e.v4, 24), netip.PrefixFrom(e.v6, 64)}
		a.Spec.Addresses = []string{want.Addresses[0].String(), want.Addresses[1].String()}
	}
	for _, c := range change {
		c(&a.Spec)
	}
	want.Routes = topology.Routes(l.network, a)
	l.attachments = append(l.attachments, a)
	l.apply(t)
	l.plug(t, e, a, want)
	return e
}

func (l *lab) plug(t *testing.T, e endpoint, a *v1alpha1.L2Attachment, want link.Interface) {
	t.Helper()
	host, links := "l2p"+string(a.UID), link.New("/proc/sys")
	end := link.HostEnd{Name: host, Owner: link.NewOwner(string(a.UID), "net1", "l2sm")}
	if err := links.Create(end, e.ns, want, ovstest.HostEnds()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = links.Delete(host) })
	l.Ctl("add-port", "br-int", host, "--", "set", "Interface", host,
		"external_ids:iface-id="+a.PortName(), "external_ids:iface-id-ver="+string(a.Spec.PodUID))
	gomega.NewWithT(t).Eventually(func() string { return l.Ctl("get", "Interface", host, "external_ids") }, patience, "20ms").
		Should(gomega.ContainSubstring(`ovn-installed="true"`))
}

// send has the pod send frames as they are.
func send(t *testing.T, e endpoint, frames ...[]byte) {
	t.Helper()
	nstest.Do(t, e.ns, func() error {
		s, err := socket()
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(s) }()
		for _, frame := range frames {
			if _, err := unix.Write(s, frame); err != nil && !errors.Is(err, unix.ENOBUFS) { // dropped at once
				return err
			}
		}
		return nil
	})
}

// socket sends and receives all frames of interface net1.
func socket() (int, error) {
	inner, err := net.InterfaceByName("net1")
	if err != nil {
		return 0, err
	}
	s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(s, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return 0, err
	}
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	return s, unix.Bind(s, &unix.SockaddrLinklayer{Protocol: all, Ifindex: inner.Index})
}

// ear hears what arrives at a pod.
type ear struct {
	socket int
	marks  byte
}

func listen(t *testing.T, e endpoint) *ear {
	t.Helper()
	heard := &ear{}
	nstest.Do(t, e.ns, func() (err error) {
		heard.socket, err = socket()
		return err
	})
	t.Cleanup(func() { _ = unix.Close(heard.socket) })
	if err := unix.SetsockoptTimeval(heard.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		t.Fatal(err)
	}
	return heard
}

// arrives says whether the frame, sent by the pod, arrives as it was sent. Each
// time a frame that always passes follows it: when that is there, the other is
// too, or never comes. The first of its kind may be overtaken, so there are
// three.
func (h *ear) arrives(t *testing.T, from endpoint, frame []byte) bool {
	t.Helper()
	arrived := false
	for range 3 {
		h.marks++
		mark := ipv4(from.mac, from.v4, allHosts4, 17, udp(9, 100+uint16(h.marks)))
		eventually(t, func() bool {
			send(t, from, frame, mark)
			seen, marked := h.until(t, frame, mark)
			arrived = arrived || seen
			return marked
		}, "the mark arrives")
	}
	return arrived
}

// until reads what arrives until the mark or a while without any, and says which
// of both were there.
func (h *ear) until(t *testing.T, frame, mark []byte) (seen, marked bool) {
	t.Helper()
	for {
		got := h.frame(t)
		switch {
		case got == nil:
			return seen, false
		case bytes.Equal(got, frame):
			seen = true
		case bytes.Equal(got, mark):
			return seen, true
		}
	}
}

// frame is the next one that arrives, nil where none does for a while, with the outer tag where the kernel has
// taken it out (packet(7), PACKET_AUXDATA).
func (h *ear) frame(t *testing.T) []byte {
	t.Helper()
	buffer, control := make([]byte, 9000), make([]byte, 100)
	n, c, _, _, err := unix.Recvmsg(h.socket, buffer, control, 0)
	for errors.Is(err, unix.EINTR) { // signal(7): a receive with a time-out is not begun anew, and Go's scheduler sends signals
		n, c, _, _, err = unix.Recvmsg(h.socket, buffer, control, 0)
	}
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	frame := buffer[:n]
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		status := binary.NativeEndian.Uint32(m.Data)
		tci, tpid := binary.NativeEndian.Uint16(m.Data[16:]), binary.NativeEndian.Uint16(m.Data[18:])
		if status&unix.TP_STATUS_VLAN_VALID != 0 {
			frame = tagged(frame, tpid, tci)
		}
	}
	return frame
}

// eventually is for what the pod's kernel does some time after a frame.
func eventually(t *testing.T, f func() bool, what string) {
	t.Helper()
	gomega.NewWithT(t).Eventually(f, patience, 20*time.Millisecond).Should(gomega.BeTrue(), what)
}
