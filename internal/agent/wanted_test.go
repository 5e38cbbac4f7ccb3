package agent

import (
	"errors"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/cni"
)

func pod(annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: uid, Annotations: annotations},
		Spec:       corev1.PodSpec{NodeName: "node-a"},
	}
}

// born is an attachment that the controller made of the pod's entry.
func born(iface, network, entry string) v1alpha1.L2Attachment {
	yes := true
	a := attachment(func(a *v1alpha1.L2Attachment) {
		a.Name, a.UID = "ping-"+iface+"-4f2a9c1e", apitypes.UID("a-"+iface)
		a.Spec.Interface, a.Spec.Network.Name = iface, network
		a.Annotations = map[string]string{v1alpha1.EntryAnnotation: entry}
		a.OwnerReferences = []metav1.OwnerReference{{Kind: "Pod", Name: "ping", UID: uid, Controller: &yes}}
	})
	return *a
}

// made is a user's attachment, bound to the pod.
func made(name, iface, network string, change ...func(*v1alpha1.L2Attachment)) v1alpha1.L2Attachment {
	a := attachment(change...)
	a.Name, a.UID, a.Spec.Interface, a.Spec.Network.Name = name, apitypes.UID(name), iface, network
	for _, c := range change {
		c(a)
	}
	return *a
}

// What an entry of ours can't have fails its ADD and says so; another
// plugin's entry does not matter.
func TestWantsRefusesUnsupported(t *testing.T) {
	asks := pod(map[string]string{"k8s.v1.cni.cncf.io/networks": `[{"name":"a"},{"name":"c","portMappings":[{"hostPort":1}]}]`})
	for name, says := range map[string]string{"a": "", "c": "portMappings"} {
		call := cni.Call{IfName: map[string]string{"a": "net1", "c": "net2"}[name], Config: cni.Config{Name: name, Network: &cni.Network{Namespace: "default", Name: name}}}
		_, _, err := grants{}.wants(&call, asks, nil)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("network %s: want an error that says %q, got %v", name, says, err)
		}
	}
}

// Multus calls the definition of a pod's main network for eth0, whether that is
// one network's or l2sm-system/l2sm, and whatever the pod asks for besides.
func TestWantsRefusesToBeTheMainNetwork(t *testing.T) {
	asks := pod(map[string]string{"l2sm.io/networks": "a", "k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm, default/c"})
	for name, network := range map[string]*cni.Network{"l2sm": nil, "c": {Namespace: "default", Name: "c"}, "other": {Namespace: "default", Name: "other"}} {
		call := cni.Call{IfName: "eth0", Config: cni.Config{Name: name, Network: network}}
		_, _, err := grants{}.wants(&call, asks, nil)
		if err == nil || !strings.Contains(err.Error(), "main network") {
			t.Errorf("definition %s: want an error that says that it can't be the main network, got %v", name, err)
		}
	}
}

func TestWants(t *testing.T) {
	both := pod(map[string]string{
		"l2sm.io/networks":            "a, other/b",
		"k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm, default/c",
	})
	requests, err := attach.Parse(both)
	if err != nil {
		t.Fatal(err)
	}
	entryA, entryC := requests.Own[0].Entry, requests.Multus[0].Entry
	all := cni.Call{IfName: "net1", Config: cni.Config{Name: "l2sm"}}
	one := cni.Call{IfName: "net2", Config: cni.Config{Name: "c", Network: &cni.Network{Namespace: "default", Name: "c"}}}
	unbound := func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "older" }
	incomplete := func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress = "" }
	outdated := func(a *v1alpha1.L2Attachment) { refusedEarlier(a) }
	refused := saying(v1alpha1.NetworkNotFound(apitypes.NamespacedName{Namespace: "default", Name: "x"}))
	cases := map[string]struct {
		reason      string
		call        cni.Call
		pod         *corev1.Pod
		attachments []v1alpha1.L2Attachment
		want        []string // the attachment's name, or the name to come and a question mark
		extra       []string
	}{
		"All": {"the one definition wires what our annotation asks for, and leaves the others' entries alone", all, both, nil,
			[]string{"ping-net1-4f2a9c1e?", "ping-net3-4f2a9c1e?"}, nil},
		"One": {"a network's own definition wires that entry's interface", one, both,
			[]v1alpha1.L2Attachment{born("net2", "c", entryC), made("mine", "data0", "x")}, []string{"ping-net2-4f2a9c1e"}, nil},
		"Nothing": {"a pod may name the definition and ask for nothing", all,
			pod(map[string]string{"k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm"}), nil, nil, nil},
		"Adopted": {"a user's attachment serves what the annotation asks for", all, both,
			[]v1alpha1.L2Attachment{made("mine", "", "a")}, []string{"mine", "ping-net3-4f2a9c1e?"}, nil},
		"Moved": {"a move is not undone by the annotation", all, both,
			[]v1alpha1.L2Attachment{born("net1", "quarantine", entryA)}, []string{"ping-net1-4f2a9c1e", "ping-net3-4f2a9c1e?"}, nil},
		"Extra": {"what a user attached besides comes along", all, both,
			[]v1alpha1.L2Attachment{made("mine", "data0", "x")}, []string{"ping-net1-4f2a9c1e?", "ping-net3-4f2a9c1e?"}, []string{"mine"}},
		"ServesMultus": {"another entry's ADD wires it", all, both,
			[]v1alpha1.L2Attachment{made("mine", "net2", "c")}, []string{"ping-net1-4f2a9c1e?", "ping-net3-4f2a9c1e?"}, nil},
		"Taken": {"two interfaces of one name can't be", all, both,
			[]v1alpha1.L2Attachment{born("net1", "a", entryA), made("mine", "net1", "x")}, []string{"ping-net1-4f2a9c1e", "ping-net3-4f2a9c1e?"}, nil},
		"Unbound":    {"it belongs to another life", all, pod(nil), []v1alpha1.L2Attachment{made("mine", "data0", "x", unbound)}, nil, nil},
		"BadName":    {"the kernel would refuse it, and the pod has not asked for it", all, pod(nil), []v1alpha1.L2Attachment{made("mine", "all", "x")}, nil, nil},
		"Incomplete": {"the pod does not wait for it", all, pod(nil), []v1alpha1.L2Attachment{made("mine", "data0", "x", incomplete)}, nil, nil},
		"Ungranted":  {"no network has granted it an MTU", all, pod(nil), []v1alpha1.L2Attachment{made("mine", "data0", "x", mtu(0))}, nil, nil},
		"Outdated":   {"the refusal is of the spec as it was", all, pod(nil), []v1alpha1.L2Attachment{made("mine", "data0", "x", outdated)}, nil, []string{"mine"}},
		"Refused":    {"its flows would never come", all, pod(nil), []v1alpha1.L2Attachment{made("mine", "data0", "x", refused)}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			wanted, extra, err := grants{}.wants(&tc.call, tc.pod, tc.attachments)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			var got, besides []string
			for _, w := range wanted {
				if w.attachment == nil {
					got = append(got, w.name+"?")
					continue
				}
				got = append(got, w.attachment.Name)
			}
			for _, a := range extra {
				besides = append(besides, a.Name)
			}
			if diff := gocmp.Diff([][]string{tc.want, tc.extra}, [][]string{got, besides}); diff != "" {
				t.Errorf("%s: wanted, and extra (-want +got):\n%s", tc.reason, diff)
			}
		})
	}

	refusals := map[string]struct {
		reason string
		call   cni.Call
		pod    *corev1.Pod
		says   string
	}{
		"Malformed":         {"no later try can read it", all, pod(map[string]string{"l2sm.io/networks": "a,,b"}), "entry 2 is empty"},
		"ForeignDefinition": {"a definition of a user's own that names the network gets no attachment", cni.Call{IfName: "net2", Config: cni.Config{Network: &cni.Network{Namespace: "default", Name: "x"}}}, both, `"default/x"`},
		"MainInterface":     {"l2sm can't be a pod's main network", cni.Call{IfName: "eth0", Config: one.Config}, both, "eth0"},
	}
	for name, tc := range refusals {
		t.Run(name, func(t *testing.T) {
			_, _, err := grants{}.wants(&tc.call, tc.pod, nil)
			var e *types.Error
			if !errors.As(err, &e) || e.Code != types.ErrInvalidNetworkConfig || !strings.Contains(e.Msg, tc.says) {
				t.Errorf("%s: wants = %v, want code %d and a message that says %q", tc.reason, err, types.ErrInvalidNetworkConfig, tc.says)
			}
		})
	}
}

// refusedEarlier has a refusal of a spec that has changed since.
func refusedEarlier(a *v1alpha1.L2Attachment) {
	saying(v1alpha1.NetworkNotFound(a.NetworkKey()))(a)
	a.Generation = 7
}

func TestWhyMissing(t *testing.T) {
	request := attach.Request{Network: apitypes.NamespacedName{Namespace: "default", Name: "ping-network"}, Interface: "net1", Fixed: true}
	refused := func(a *v1alpha1.L2Attachment) { saying(v1alpha1.NetworkNotFound(request.Network))(a) }
	empty := func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress, a.Status.MTU = "", 0 }
	cases := map[string]struct {
		reason     string
		attachment *v1alpha1.L2Attachment
		says       string // empty: nothing is missing
	}{
		"Complete":    {"a MAC address makes it complete, no condition does", attachment(), ""},
		"Unwritten":   {"the controller has not seen the pod", nil, "is l2sm-controller running"},
		"Incomplete":  {"the controller has not assigned anything", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress = "" }), "no MAC address"},
		"NoInterface": {"nor the interface's name", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "" }), "no interface yet"},
		"Refused":     {"the controller's words say more than ours", attachment(empty, refused), "does not exist"},
		"OtherLife":   {"an attachment of the pod's last life is not its", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "older" }), `UID "older"`},
		"OtherPod":    {"a forged binding gets nothing", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.PodName = "pong" }), `pod "pong"`},
		"OtherNode":   {"nor one to another node", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.NodeName = "node-b" }), `node "node-b"`},
		"OtherName":   {"Multus has told the runtime of another interface", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "net9" }), "net9"},
		"NoMTU":       {"the network has not granted it yet", attachment(mtu(0)), "no MTU yet"},
		"ShutOut":     {"a user's own spec stays complete when it is refused", attachment(refused), "does not exist"},
		"Outdated":    {"the refusal is of the spec as it was", attachment(refusedEarlier), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := grants{}.whyMissing(want{request, "ping-net1-4f2a9c1e", tc.attachment}, pod(nil))
			if tc.says == "" && got != "" || !strings.Contains(got, tc.says) {
				t.Errorf("%s: whyMissing = %q, want it to say %q", tc.reason, got, tc.says)
			}
			if got != "" && !strings.Contains(got, "default/ping-network") {
				t.Errorf("whyMissing = %q, which does not name the network", got)
			}
		})
	}
}

// On zoned fabrics a port without a tunnel key is nowhere, and an ADD would wait for
// it in vain.
func TestGrantedWithTunnelKey(t *testing.T) {
	key := func(a *v1alpha1.L2Attachment) { a.Status.TunnelKey = 7 }
	cases := map[string]struct {
		reason     string
		grants     grants
		attachment *v1alpha1.L2Attachment
		want       bool
		lacks      string
	}{
		"Central": {"a northbound database for all needs no keys", grants{}, attachment(), true, ""},
		"Key":     {"the controller has written where the port is, and its key", grants{keyed: true}, attachment(key), true, ""},
		"NoKey":   {"it has not yet", grants{keyed: true}, attachment(), false, "no tunnel key"},
		"NoMTU":   {"the MTU is written first", grants{keyed: true}, attachment(mtu(0)), false, "no MTU"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.grants.granted(tc.attachment); got != tc.want {
				t.Errorf("%s: granted = %t", tc.reason, got)
			}
			if got := ungranted(tc.attachment); !strings.Contains(got, tc.lacks) {
				t.Errorf("%s: it says %q, want %q", tc.reason, got, tc.lacks)
			}
		})
	}
}
