package agent

import (
	"testing"

	cnitypes "github.com/containernetworking/cni/pkg/types"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

func TestNamesOf(t *testing.T) {
	port := func(container, ifname, iface string) ovs.Port {
		return ovs.Port{Name: link.HostName(container, iface), Sandbox: sandbox(container, ifname)}
	}
	end := func(container, ifname, iface string) link.HostEnd {
		return link.HostEnd{Name: link.HostName(container, iface), Owner: link.Owner{Container: container, IfName: ifname, Config: "l2sm"}}
	}
	orphan := link.HostEnd{Name: link.HostName("c1", "net1")}
	byNet1 := func(made link.Owner) bool { return made.IfName == "net1" }
	cases := map[string]struct {
		reason string
		ports  []ovs.Port
		ends   []link.HostEnd
		want   []string
	}{
		"Nothing":  {"DEL of what is gone has nothing to do", nil, nil, nil},
		"Both":     {"one name for a port and its device", []ovs.Port{port("c1", "net1", "net1")}, []link.HostEnd{end("c1", "net1", "net1")}, []string{link.HostName("c1", "net1")}},
		"PortOnly": {"the namespace took the device along", []ovs.Port{port("c1", "net1", "net2")}, nil, []string{link.HostName("c1", "net2")}},
		"LinkOnly": {"an agent died before it plugged the device", nil, []link.HostEnd{end("c1", "net1", "net2")}, []string{link.HostName("c1", "net2")}},
		"Orphan":   {"an agent died before it wrote the owner", nil, []link.HostEnd{orphan}, []string{orphan.Name}},
		"Others":   {"other ADDs of the pod, and other pods, keep theirs", []ovs.Port{port("c1", "net2", "net2"), port("c2", "net1", "net1")}, []link.HostEnd{end("c1", "net2", "net2"), end("c2", "net1", "net1")}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, namesOf(tc.ports, tc.ends, "c1", byNet1)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestGarbage(t *testing.T) {
	ports := []ovs.Port{
		{Sandbox: sandbox("valid", "net1")},
		{Sandbox: sandbox("gone", "net1")},
		{Sandbox: sandbox("gone", "net1")}, // one ADD, two interfaces
		{Sandbox: ovs.Sandbox{Container: "gone", IfName: "net2", Config: "other"}},
	}
	ends := []link.HostEnd{
		{Owner: link.Owner{Container: "valid", IfName: "net1", Config: "l2sm"}},
		{Owner: link.Owner{Container: "leaked", IfName: "net1", Config: "l2sm"}},
		{Name: "l2p-unknown"},
	}
	valid := []cnitypes.GCAttachment{{ContainerID: "valid", IfName: "net1"}}
	want := []cnitypes.GCAttachment{{ContainerID: "gone", IfName: "net1"}, {ContainerID: "leaked", IfName: "net1"}}
	got := garbage(ports, ends, cni.Config{Name: "l2sm", ValidAttachments: valid})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GC is about one network configuration, and about each ADD once (-want +got):\n%s", diff)
	}
}

func TestPortIn(t *testing.T) {
	ports := []ovs.Port{{Sandbox: ovs.Sandbox{Container: "c0", PodName: "other"}}, {Sandbox: sandbox("c1", "net1")}}
	if got := portIn(ports, "c1"); got == nil || got.Sandbox.PodName != "ping" {
		t.Errorf("portIn = %v: a DEL without a pod takes the lock of the ADD", got)
	}
	if got := portIn(ports, "c2"); got != nil {
		t.Errorf("portIn of a container without ports = %v, want none", got)
	}
}

// Each life of a pod has a lock of its own, whoever names it.
func TestLifeOf(t *testing.T) {
	key := types.NamespacedName{Namespace: "default", Name: "ping"}
	pod := func(uid types.UID, hash string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: uid}}
		p.Annotations = map[string]string{"kubernetes.io/config.hash": hash, "kubernetes.io/config.mirror": hash}
		return p
	}
	same := func(reason string, want bool, a, b string) {
		t.Helper()
		if (a == b) != want {
			t.Errorf("%s: %q and %q", reason, a, b)
		}
	}
	same("the next pod of a name need not wait for calls of one that is gone", false, lifeOf(key, "one", pod("two", "")), lifeOf(key, "two", pod("two", "")))
	same("the API's UID and the runtime's are one static pod's", true, lifeOf(key, "mirror", pod("mirror", "static")), lifeOf(key, "static", pod("mirror", "static")))
	other := types.NamespacedName{Namespace: "default", Name: "victim"}
	same("an annotation that claims another pod's UID takes no lock of that pod", false, lifeOf(key, "evil", pod("evil", "victim-uid")), lifeOf(other, "victim-uid", nil))
}
