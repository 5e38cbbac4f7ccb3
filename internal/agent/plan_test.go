package agent

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

const uid = "4f2a9c1e-0000-4000-8000-000000000000"

func sandbox(container, ifname string) ovs.Sandbox {
	return ovs.Sandbox{
		Container: container, IfName: ifname, Config: "l2sm", Netns: "/run/netns/" + container,
		PodNamespace: "default", PodName: "ping", PodUID: uid,
	}
}

func attachment(change ...func(*v1alpha1.L2Attachment)) *v1alpha1.L2Attachment {
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping-net1-4f2a9c1e", UID: "a-net1"},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: "ping", PodUID: uid, NodeName: "node-a", Interface: "net1",
			Network:    v1alpha1.NetworkReference{Name: "ping-network"},
			MACAddress: "0A:58:0A:65:02:0A", Addresses: []string{"10.101.2.10/16", "fd10:101::10/64"},
		},
		Status: v1alpha1.L2AttachmentStatus{MTU: 1442},
	}
	for _, c := range change {
		c(a)
	}
	return a
}

// mtu is what the controller has granted, in bytes.
func mtu(bytes int32) func(*v1alpha1.L2Attachment) {
	return func(a *v1alpha1.L2Attachment) { a.Status.MTU = bytes }
}

func TestNewWire(t *testing.T) {
	s := sandbox("c1", "net1")
	got, err := newWire(s, attachment())
	if err != nil {
		t.Fatal(err)
	}
	host := link.HostName("c1", "net1")
	want := wire{
		host: link.HostEnd{Name: host, Owner: link.Owner{Container: "c1", IfName: "net1", Config: "l2sm"}},
		inner: link.Interface{
			Name: "net1", MTU: 1442, MAC: net.HardwareAddr{0x0a, 0x58, 0x0a, 0x65, 0x02, 0x0a},
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.101.2.10/16"), netip.MustParsePrefix("fd10:101::10/64")},
		},
		port: ovs.Port{
			Name: host, LogicalPort: "l2sm/default/ping-net1-4f2a9c1e", MAC: "0a:58:0a:65:02:0a",
			Interface: "net1", Attachment: "a-net1", Sandbox: s,
			Noted: ovs.Noted{Network: "default/ping-network", MTU: 1442, AcceptRA: "0", Routes: "no"},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(wire{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("what is made of an attachment (-want +got):\n%s", diff)
	}
	for name, broken := range map[string]*v1alpha1.L2Attachment{
		"reserved":   attachment(func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "all" }),
		"macAddress": attachment(func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress = "0a:58" }),
		"addresses":  attachment(func(a *v1alpha1.L2Attachment) { a.Spec.Addresses = []string{"10.0.0.1"} }),
	} {
		if _, err := newWire(s, broken); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("newWire with a broken %s gave error %v", name, err)
		}
	}
}

func TestPlanPlug(t *testing.T) {
	s := sandbox("new", "net1")
	wanted, err := newWire(s, attachment())
	if err != nil {
		t.Fatal(err)
	}
	port := func(container, ifname, attachment string) ovs.Port {
		return ovs.Port{Name: container + "-" + attachment, Attachment: attachment, Sandbox: sandbox(container, ifname)}
	}
	hot := func(p ovs.Port) ovs.Port {
		p.Sandbox.Config = link.HotConfig
		return p
	}
	named := func(p ovs.Port) ovs.Port {
		p.Name = wanted.port.Name
		return p
	}
	ofADD, alone := sameADD(s), func(ovs.Port) bool { return false }
	cases := map[string]struct {
		reason              string
		mine                func(ovs.Port) bool
		ports               []ovs.Port
		again, stale, taken []string
	}{
		"Fresh":         {"nothing is there", ofADD, nil, nil, nil, nil},
		"NewSandbox":    {"the pod's sandbox was made again: its predecessor's port would cut both off", ofADD, []ovs.Port{port("old", "net1", "a-net1")}, nil, []string{"old-a-net1"}, nil},
		"Retry":         {"an ADD of the same sandbox was cut short", ofADD, []ovs.Port{port("new", "net1", "a-net1"), port("new", "net1", "a-net2")}, []string{"new-a-net1", "new-a-net2"}, nil, nil},
		"OtherADD":      {"another ADD of the same sandbox made its own interface", ofADD, []ovs.Port{port("new", "net2", "a-net2")}, nil, nil, nil},
		"Hot":           {"what was plugged in since is called like the ADD's CNI_IFNAME", ofADD, []ovs.Port{hot(port("new", "net1", "a-net7"))}, nil, nil, nil},
		"OtherPod":      {"other pods' ports are none of its business", ofADD, []ovs.Port{port("other", "net1", "b-net1")}, nil, nil, nil},
		"OldAttachment": {"what else the predecessor has goes with its own DEL", ofADD, []ovs.Port{port("old", "net1", "a-net9")}, nil, nil, nil},
		"Taken":         {"an interface that works is not cut off for another attachment", ofADD, []ovs.Port{named(port("new", "net2", "a-net7"))}, nil, nil, []string{wanted.port.Name}},
		"TakenHot":      {"nor where the watch made it", ofADD, []ovs.Port{named(hot(port("new", "net1", "a-net7")))}, nil, nil, []string{wanted.port.Name}},
		"HotTaken":      {"nor by the watch", alone, []ovs.Port{named(hot(port("new", "net1", "a-net7")))}, nil, nil, []string{wanted.port.Name}},
		"HotAlone":      {"the watch leaves the other interfaces of the ADD alone", alone, []ovs.Port{port("new", "net1", "a-net2")}, nil, nil, nil},
		"HotAgain":      {"its own port is made again", alone, []ovs.Port{named(port("new", "net1", "a-net1"))}, []string{wanted.port.Name}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := planPlug(s, []wire{wanted}, tc.ports, tc.mine)
			if diff := cmp.Diff(tc.again, portNames(p.again)); diff != "" {
				t.Errorf("%s: removed before (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.stale, portNames(p.stale)); diff != "" {
				t.Errorf("%s: replaced (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.taken, portNames(p.taken)); diff != "" {
				t.Errorf("%s: in the way (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestResultOf(t *testing.T) {
	first, err := newWire(sandbox("c1", "net1"), attachment())
	if err != nil {
		t.Fatal(err)
	}
	second, err := newWire(sandbox("c1", "net1"), attachment(mtu(1400), func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "net2" }))
	if err != nil {
		t.Fatal(err)
	}
	got := resultOf([]wire{first, second})
	var lines []string
	for _, ip := range got.IPs {
		i := got.Interfaces[*ip.Interface]
		lines = append(lines, i.Name+" "+ip.Address.String())
	}
	want := []string{"net1 10.101.2.10/16", "net1 fd10:101::10/64", "net2 10.101.2.10/16", "net2 fd10:101::10/64"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("each address belongs to its interface (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&types100.Interface{Name: "net2", Mac: "0a:58:0a:65:02:0a", Mtu: 1400, Sandbox: "/run/netns/c1"}, got.Interfaces[1]); diff != "" {
		t.Errorf("an interface says where it is (-want +got):\n%s", diff)
	}
}
