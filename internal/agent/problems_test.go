package agent

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

func TestNodeStatus(t *testing.T) {
	sound := nodeView{
		name: "node-a", bootID: "boot", kernel: "6.1", agent: "v1", addresses: []string{"192.0.2.1"}, underlayMTU: 1500,
		holders: []link.Holder{{Name: "eth0", MTU: 9000}, {Name: "eth1", MTU: 1500}},
		facts:   ovs.Facts{Chassis: "node-a", Datapath: "system", OVSVersion: "3.1.0", OVNVersion: "23.03.1"},
	}
	last := v1alpha1.L2NodeStatus{Chassis: "node-a", Datapath: "system", MTU: 1500, TunnelAddresses: []string{"192.0.2.1"}, Versions: v1alpha1.L2NodeVersions{OVS: "3.1.0", OVN: "23.03.1"}}
	cases := map[string]struct {
		reason string
		spoil  func(*nodeView)
		// want are the conditions: type, status and reason.
		want string
		says string
	}{
		"Sound":       {"nothing is wrong", func(*nodeView) {}, "Ready=True/Ready", ""},
		"Refused":     {"ovn-node's checks say why, in their own words", func(v *nodeView) { v.refusal = "ForeignDatapath another Open vSwitch runs here\n" }, "Ready=False/ForeignDatapath Refused=True/ForeignDatapath", "another Open vSwitch runs here"},
		"Unreachable": {"Open vSwitch is away", func(v *nodeView) { v.unreachable, v.facts = true, ovs.Facts{} }, "Ready=False/OpenVSwitchUnreachable OpenVSwitchUnavailable=True/OpenVSwitchUnreachable", "ovn-node"},
		"NoBridge":    {"ovn-controller has made no bridge", func(v *nodeView) { v.facts.Datapath = "" }, "Ready=False/NoIntegrationBridge OpenVSwitchUnavailable=True/NoIntegrationBridge", "br-int"},
		"Tunnels":     {"other nodes can't be reached", func(v *nodeView) { v.facts.Broken, v.facts.BrokenTunnels = 7, []string{"to 192.0.2.2: x"} }, "Ready=False/TunnelError TunnelError=True/TunnelError", "7 tunnels can't be made: to 192.0.2.2: x"},
		"MTU":         {"small frames pass", func(v *nodeView) { v.holders[1].MTU = 1400 }, "Ready=True/UnderlayMTU UnderlayMTU=True/UnderlayMTU", "eth1 has MTU 1400"},
		"Open":        {"pods are attached all the same", func(v *nodeView) { v.open = errors.New("no nf_tables") }, "Ready=True/TunnelPortOpen TunnelPortOpen=True/TunnelPortOpen", "no nf_tables"},
		"Misplaced":   {"other networks work", func(v *nodeView) { v.misplaced = errors.New("default/net has 5 and not 7") }, "Ready=True/OtherTunnelKey OtherTunnelKey=True/OtherTunnelKey", "default/net has 5 and not 7"},
		"Untold":      {"pods are attached late", func(v *nodeView) { v.untold, v.nriOnly = errors.New("no socket"), true }, "Ready=True/NRIUnavailable NRIUnavailable=True/NRIUnavailable", "no socket"},
		"MultusTells": {"Multus may attach them", func(v *nodeView) { v.untold = errors.New("no socket") }, "Ready=True/Ready", ""},
		"Certificate": {"the last one may be valid still", func(v *nodeView) { v.uncertified = errors.New("NodeRevoked: no") }, "Ready=True/NoCertificate NoCertificate=True/NoCertificate", "NodeRevoked: no"},
		"Name": {"another agent has said so, and its condition is not repeated", func(v *nodeView) {
			taken := v1alpha1.NameTaken("node-a", "boot", "other")
			v.taken = &taken
		}, "Ready=False/NameTaken", "boot IDs boot and other"},
		"Worst": {"what keeps pods out comes first", func(v *nodeView) { v.refusal, v.holders[0].MTU = "TunTaken x", 100 }, "Ready=False/TunTaken Refused=True/TunTaken UnderlayMTU=True/UnderlayMTU", "x"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := sound
			v.holders = append([]link.Holder(nil), sound.holders...)
			tc.spoil(&v)
			status := nodeStatus(v, last)
			var got []string
			for _, c := range status.Conditions {
				got = append(got, c.Type+"="+string(c.Status)+"/"+c.Reason)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if !strings.Contains(status.Conditions[0].Message, tc.says) {
				t.Errorf("%s: message %q does not say %q", tc.reason, status.Conditions[0].Message, tc.says)
			}
			if status.Chassis != "node-a" || status.TunnelAddresses[0] != "192.0.2.1" || status.Versions.OVS != "3.1.0" || status.MTU == 0 {
				t.Errorf("%s: what is known is not said: %+v", tc.reason, status)
			}
		})
	}
}

func TestParseRefusal(t *testing.T) {
	cases := map[string]struct{ text, reason, message string }{
		"Both":     {"TunTaken port 6081 is of wireguard\n", "TunTaken", "port 6081 is of wireguard"},
		"Lines":    {"TunTaken port\nmore\n", "TunTaken", "port"},
		"NoReason": {"port 6081 is taken", "", "port 6081 is taken"},
		"Alone":    {"TunTaken", "", "TunTaken"},
		"Hostile":  {"<b>\xff x", "", "<b>? x"},
		"Long":     {strings.Repeat("A", 65) + " x", "", strings.Repeat("A", 65) + " x"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if reason, message := parseRefusal(tc.text); reason != tc.reason || message != tc.message {
				t.Errorf("parseRefusal(%q) = %q, %q, want %q, %q", tc.text, reason, message, tc.reason, tc.message)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	old, now := metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
	at := func(c metav1.Condition, when metav1.Time) metav1.Condition { c.LastTransitionTime = when; return c }
	ready, mtu := v1alpha1.NodeReady(nil), v1alpha1.UnderlayMTUTooSmall("eth0", 1400, 1500)
	refused := v1alpha1.NodeNotReady(v1alpha1.NodeRefused("X", "y"))
	status := func(chassis string, all ...metav1.Condition) v1alpha1.L2NodeStatus {
		return v1alpha1.L2NodeStatus{Chassis: chassis, Conditions: all}
	}
	cases := map[string]struct {
		reason     string
		is, want   v1alpha1.L2NodeStatus
		differs    bool
		readySince metav1.Time
	}{
		"Same":    {"nothing is written", status("a", at(mtu, old), at(ready, old)), status("a", ready, mtu), false, old},
		"First":   {"nothing stands", status(""), status("a", ready), true, now},
		"Chassis": {"something else differs", status("b", at(ready, old)), status("a", ready), true, old},
		"Turned":  {"the status of a condition differs", status("a", at(refused, old)), status("a", ready), true, now},
		"Gone":    {"a problem has passed", status("a", at(ready, old), at(mtu, old)), status("a", ready), true, old},
		"Foreign": {"what others add is theirs", status("a", at(ready, old), at(metav1.Condition{Type: "Drained", Status: "True"}, old)), status("a", ready), false, old},
		"Taken":   {"another agent's condition is not this one's", status("a", at(ready, old), at(v1alpha1.NameTaken("a", "b", "c"), old)), status("a", ready), false, old},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := settle(&tc.want, tc.is, now); got != tc.differs {
				t.Errorf("%s: settle = %v, want %v", tc.reason, got, tc.differs)
			}
			if got := tc.want.Conditions[0].LastTransitionTime; got != tc.readySince {
				t.Errorf("%s: Ready since %v, want %v", tc.reason, got, tc.readySince)
			}
		})
	}
}
