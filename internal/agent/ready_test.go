package agent

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ovs"
)

func TestReadiness(t *testing.T) {
	port := func(state ovs.State) []ovs.Port {
		return []ovs.Port{{Attachment: "other"}, {Attachment: "a-net1", Interface: "net1", Sandbox: sandbox("c1", "net1"), State: state}}
	}
	older := port(ovs.State{Installed: true})
	older[1].Sandbox.PodUID = "older"
	ready := v1alpha1.AttachmentReady("net1")
	cases := map[string]struct {
		reason string
		stands *metav1.Condition
		ports  []ovs.Port
		want   metav1.ConditionStatus // empty: nothing is said
		why    string
	}{
		"Wired":        {"an ADD came to its end", nil, port(ovs.State{Installed: true}), metav1.ConditionTrue, v1alpha1.ReasonReady},
		"NotYet":       {"before that, each ADD would cost two writes", nil, port(ovs.State{}), "", ""},
		"Forged":       {"what is not plugged was never asked for by its pod", nil, nil, "", ""},
		"OtherLife":    {"the port of the pod's last life is not its", nil, older, "", ""},
		"Failed":       {"the device is gone or never was", nil, port(ovs.State{Error: "No such device"}), metav1.ConditionFalse, v1alpha1.ReasonFailed},
		"LostFlows":    {"it was ready", &ready, port(ovs.State{}), metav1.ConditionFalse, v1alpha1.ReasonWiring},
		"LostSandbox":  {"it was ready", &ready, nil, metav1.ConditionFalse, v1alpha1.ReasonWiring},
		"StillAllWell": {"it is ready", &ready, port(ovs.State{Installed: true}), metav1.ConditionTrue, v1alpha1.ReasonReady},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := readiness(attachment(), tc.stands, tc.ports)
			if ok != (tc.want != "") {
				t.Fatalf("%s: readiness says something: %v (%v)", tc.reason, ok, got)
			}
			if ok && (got.Status != tc.want || got.Reason != tc.why) {
				t.Errorf("%s: readiness = %s (%s), want %s (%s)", tc.reason, got.Status, got.Reason, tc.want, tc.why)
			}
		})
	}
}

func TestAttachmentKey(t *testing.T) {
	want := client.ObjectKeyFromObject(attachment())
	if got, ok := attachmentKey(logicalPort(attachment())); !ok || got != want {
		t.Errorf("attachmentKey(logicalPort) = %v, %v, want %v", got, ok, want)
	}
	if got, ok := attachmentKey("somebody-elses"); ok {
		t.Errorf("attachmentKey of a stranger's port = %v, want none", got)
	}
}
