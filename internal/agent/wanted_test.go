package agent

import (
	"errors"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/cni"
)

func pod(annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: uid, Annotations: annotations},
		Spec:       corev1.PodSpec{NodeName: "node-a"},
	}
}

func TestWants(t *testing.T) {
	both := map[string]string{
		"l2sm.io/networks":            "a, other/b",
		"k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm, default/c",
	}
	all := cni.Call{IfName: "net1", Config: cni.Config{Name: "l2sm"}}
	one := cni.Call{IfName: "net2", Config: cni.Config{Name: "c", Network: &cni.Network{Namespace: "default", Name: "c"}}}
	key := func(iface string) client.ObjectKey {
		return client.ObjectKey{Namespace: "default", Name: "ping-" + iface + "-4f2a9c1e"}
	}
	cases := map[string]struct {
		reason string
		call   cni.Call
		pod    *corev1.Pod
		want   []want
	}{
		"All": {"the one definition wires what our annotation asks for, and leaves the others' entries alone", all, pod(both), []want{
			{key("net1"), apitypes.NamespacedName{Namespace: "default", Name: "a"}, "net1"},
			{key("net3"), apitypes.NamespacedName{Namespace: "other", Name: "b"}, "net3"},
		}},
		"One": {"a network's own definition wires that entry's interface", one, pod(both), []want{
			{key("net2"), apitypes.NamespacedName{Namespace: "default", Name: "c"}, "net2"},
		}},
		"Nothing": {"a pod may name the definition and ask for nothing", all,
			pod(map[string]string{"k8s.v1.cni.cncf.io/networks": "l2sm-system/l2sm"}), nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := wants(&tc.call, tc.pod)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}

	refused := map[string]struct {
		reason string
		call   cni.Call
		pod    *corev1.Pod
		says   string
	}{
		"Malformed":        {"no later try can read it", all, pod(map[string]string{"l2sm.io/networks": "a,,b"}), "entry 2 is empty"},
		"ForeignDefiniton": {"a definition of a user's own that names the network gets no attachment", cni.Call{IfName: "net2", Config: cni.Config{Network: &cni.Network{Namespace: "default", Name: "x"}}}, pod(both), `"default/x"`},
		"MainInterface":    {"l2sm can't be a pod's main network", cni.Call{IfName: "eth0", Config: one.Config}, pod(both), "eth0"},
	}
	for name, tc := range refused {
		t.Run(name, func(t *testing.T) {
			_, err := wants(&tc.call, tc.pod)
			var e *types.Error
			if !errors.As(err, &e) || e.Code != types.ErrInvalidNetworkConfig || !strings.Contains(e.Msg, tc.says) {
				t.Errorf("%s: wants = %v, want code %d and a message that says %q", tc.reason, err, types.ErrInvalidNetworkConfig, tc.says)
			}
		})
	}
}

func TestWhyMissing(t *testing.T) {
	w := want{
		key:     client.ObjectKey{Namespace: "default", Name: "ping-net1-4f2a9c1e"},
		network: apitypes.NamespacedName{Namespace: "default", Name: "ping-network"},
		iface:   "net1",
	}
	network := &v1alpha1.L2Network{}
	refused := func(a *v1alpha1.L2Attachment) {
		a.Spec.MACAddress, a.Status.Conditions = "", []metav1.Condition{v1alpha1.NetworkNotFound(w.network)}
	}
	cases := map[string]struct {
		reason     string
		attachment *v1alpha1.L2Attachment
		network    *v1alpha1.L2Network
		says       string // empty: nothing is missing
	}{
		"Complete":   {"a MAC address makes it complete, no condition does", attachment(), network, ""},
		"Unwritten":  {"the controller has not seen the pod", nil, nil, "is l2sm-controller running"},
		"Incomplete": {"the controller has not assigned anything", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress = "" }), network, "no MAC address"},
		"Refused":    {"the controller's words say more than ours", attachment(refused), nil, "does not exist"},
		"OtherLife":  {"an attachment of the pod's last life is not its", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "older" }), network, `UID "older"`},
		"OtherPod":   {"a forged binding gets nothing", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.PodName = "pong" }), network, `pod "pong"`},
		"OtherNode":  {"nor one to another node", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.NodeName = "node-b" }), network, `node "node-b"`},
		"OtherName":  {"nor one of another interface", attachment(func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "net9" }), network, `"net9"`},
		"NoNetwork":  {"the MTU is the network's", attachment(), nil, "L2Network"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := whyMissing(w, pod(nil), tc.attachment, tc.network)
			if tc.says == "" && got != "" || !strings.Contains(got, tc.says) {
				t.Errorf("%s: whyMissing = %q, want it to say %q", tc.reason, got, tc.says)
			}
			if got != "" && !strings.Contains(got, "default/ping-network") {
				t.Errorf("whyMissing = %q, which does not name the network", got)
			}
		})
	}
}
