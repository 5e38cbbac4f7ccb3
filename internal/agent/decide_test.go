package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ovs"
)

func TestDecide(t *testing.T) {
	here := ovs.Noted{Network: "default/ping-network", InstalledAt: 2, MTU: 1442, AcceptRA: "0", Routes: "no"}
	port := func(change ...func(*ovs.Port)) ovs.Port {
		p := ovs.Port{Name: "mine", Attachment: "a-net1", Interface: "net1", Sandbox: sandbox("c1", "net1"), Noted: here}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	routes := func(a *v1alpha1.L2Attachment) { a.Status.SendRouterAdvertisements = true }
	advertised := func(a *v1alpha1.L2Attachment) { a.Status.AcceptRouterAdvertisements = true }
	broken := port(func(p *ovs.Port) { p.State.Error = "No such device" })
	pods := func(change func(*corev1.Pod)) *corev1.Pod {
		p := pod(nil)
		change(p)
		return p
	}
	same := pods(func(*corev1.Pod) {})
	refused := saying(metav1.Condition{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonAddressTaken, Message: "taken"})
	in := func(container string) *place { return &place{container: container, netns: "/run/netns/" + container} }
	renoted := func(change func(*ovs.Noted)) ovs.Noted {
		n := here
		change(&n)
		return n
	}
	cases := map[string]struct {
		reason string
		view   view
		want   decision
	}{
		"Nothing":       {"it is plugged in, and all is well", view{attachment: attachment(), pod: same, ports: []ovs.Port{port()}, device: true}, decision{noted: here}},
		"Gone":          {"a port without an attachment has no use", view{ports: []ovs.Port{port()}}, decision{strays: []ovs.Port{port()}}},
		"Recreated":     {"an attachment made again under the name is another", view{attachment: attachment(func(a *v1alpha1.L2Attachment) { a.UID = "a-new" }), ports: []ovs.Port{port()}}, decision{strays: []ovs.Port{port()}}},
		"Rebound":       {"the port is of the pod's last life", view{attachment: attachment(func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "next" }), ports: []ovs.Port{port()}}, decision{strays: []ovs.Port{port()}}},
		"Plug":          {"its pod runs without it", view{attachment: attachment(), pod: same, sandbox: in("c1")}, decision{plug: true}},
		"NoSandbox":     {"an ADD may be under way", view{attachment: attachment(), pod: same}, decision{}},
		"NoMTU":         {"the network has not granted it", view{attachment: attachment(mtu(0)), pod: same, sandbox: in("c1")}, decision{}},
		"NoPod":         {"the node has no such pod", view{attachment: attachment(), sandbox: in("c1")}, decision{}},
		"OtherPod":      {"a binding can be forged", view{attachment: attachment(), pod: pods(func(p *corev1.Pod) { p.UID = "next" }), sandbox: in("c1")}, decision{}},
		"Terminating":   {"its DEL comes soon", view{attachment: attachment(), pod: pods(func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: metav1.Now().Time} }), sandbox: in("c1")}, decision{}},
		"Ended":         {"it has run to its end", view{attachment: attachment(), pod: pods(func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), sandbox: in("c1")}, decision{}},
		"HostNetwork":   {"its network is the node's", view{attachment: attachment(), pod: pods(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), sandbox: in("c1")}, decision{}},
		"Incomplete":    {"the controller has not assigned a MAC address", view{attachment: attachment(func(a *v1alpha1.L2Attachment) { a.Spec.MACAddress = "" }), pod: same, sandbox: in("c1")}, decision{}},
		"NoName":        {"nor the interface's name", view{attachment: attachment(func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "" }), pod: same, sandbox: in("c1")}, decision{}},
		"Refused":       {"it would never get flows", view{attachment: attachment(refused), pod: same, sandbox: in("c1")}, decision{}},
		"NextSandbox":   {"the pod's sandbox was made again without our ADD", view{attachment: attachment(), pod: same, ports: []ovs.Port{port()}, sandbox: in("c2")}, decision{plug: true}},
		"DeviceGone":    {"a user deleted the device", view{attachment: attachment(), pod: same, ports: []ovs.Port{port()}, sandbox: in("c1")}, decision{plug: true}},
		"RefusedByOVS":  {"it would be refused again", view{attachment: attachment(), pod: same, ports: []ovs.Port{broken}, device: true, sandbox: in("c1")}, decision{noted: here}},
		"MTU":           {"the network's MTU has changed", view{attachment: attachment(mtu(1300)), pod: same, ports: []ovs.Port{port()}, device: true}, decision{mtu: 1300, noted: renoted(func(n *ovs.Noted) { n.MTU = 1300 })}},
		"NetworkGone":   {"then it has none", view{attachment: attachment(mtu(0)), pod: same, ports: []ovs.Port{port()}, device: true}, decision{noted: here}},
		"Moving":        {"the MTU follows when the flows have", view{attachment: attachment(mtu(1300), asking("b"), on("b")), pod: same, ports: []ovs.Port{port()}, device: true}, decision{noted: here}},
		"AboutToMove":   {"the port is still on the old network", view{attachment: attachment(mtu(1300), asking("b"), on("ping-network")), pod: same, ports: []ovs.Port{port()}, device: true}, decision{noted: here}},
		"ShutOut":       {"the controller refuses it, and has removed its logical port", view{attachment: attachment(refused), pod: same, ports: []ovs.Port{port()}, device: true}, decision{strays: []ovs.Port{port()}}},
		"ShutOutMTU0":   {"whatever is left of its status", view{attachment: attachment(refused, mtu(0)), pod: same, ports: []ovs.Port{port()}, device: true}, decision{strays: []ovs.Port{port()}}},
		"Outdated":      {"the refusal is of the spec as it was", view{attachment: attachment(refusedEarlier), pod: same, ports: []ovs.Port{port()}, device: true}, decision{noted: here}},
		"RefusedMove":   {"the port is on the old network, whatever was expected", view{attachment: attachment(asking("b"), on("ping-network"), refused), pod: same, ports: []ovs.Port{port(func(p *ovs.Port) { p.Noted.Network = "default/b" })}, device: true}, decision{noted: here}},
		"FromAnOldTime": {"an older agent noted nothing", view{attachment: attachment(), pod: same, ports: []ovs.Port{port(func(p *ovs.Port) { p.Noted = ovs.Noted{} })}, device: true}, decision{mtu: 1442, acceptRA: "0", routes: "no", noted: ovs.Noted{MTU: 1442, AcceptRA: "0", Routes: "no"}}},
		"Router":        {"the network allows routers by now", view{attachment: attachment(advertised), pod: same, ports: []ovs.Port{port()}, device: true}, decision{acceptRA: "1", noted: renoted(func(n *ovs.Noted) { n.AcceptRA = "1" })}},
		"Routes":        {"the attachment has the role by now", view{attachment: attachment(routes), pod: same, ports: []ovs.Port{port()}, device: true}, decision{routes: "yes", noted: renoted(func(n *ovs.Noted) { n.Routes = "yes" })}},
		"RouterAhead":   {"the port is still on the old network", view{attachment: attachment(advertised, asking("b"), on("ping-network")), pod: same, ports: []ovs.Port{port()}, device: true}, decision{noted: here}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(tc.view), cmp.AllowUnexported(decision{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAttribute(t *testing.T) {
	refused := saying(metav1.Condition{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionFalse})
	const here, b = "default/ping-network", "default/b"
	cases := map[string]struct {
		reason     string
		attachment *v1alpha1.L2Attachment
		noted      string
		network    string
		sure       bool
	}{
		"Moved":       {"the controller says where it is now", attachment(asking("b"), on("b")), here, b, true},
		"Reinstalled": {"ovn-controller has restarted, or the cache lags", attachment(on("ping-network")), here, here, false},
		"Early":       {"the controller has not written yet where it moved the port", attachment(asking("b"), on("ping-network")), here, b, true},
		"Refused":     {"the move was refused: it is another install", attachment(asking("b"), on("ping-network"), refused), here, here, true},
		"Plugged":     {"the controller has not reported", attachment(), here, here, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network, sure := attribute(tc.attachment, ovs.Noted{Network: tc.noted})
			if network != tc.network || sure != tc.sure {
				t.Errorf("%s: attribute = %s, %v, want %s, %v", tc.reason, network, sure, tc.network, tc.sure)
			}
		})
	}
	retried := attachment(asking("b"), on("ping-network"), refused)
	retried.Generation = 2 // since it was refused
	if network, _ := attribute(retried, ovs.Noted{Network: here}); network != b {
		t.Errorf("what was refused of an older spec says nothing of this one: attribute = %s, want %s", network, b)
	}
}
