package agent

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ovs"
)

// saying is the attachment with these conditions.
func saying(conditions ...metav1.Condition) func(*v1alpha1.L2Attachment) {
	return func(a *v1alpha1.L2Attachment) { a.Status.Conditions = conditions }
}

// on is the attachment with its port on the network of the name.
func on(network string) func(*v1alpha1.L2Attachment) {
	return func(a *v1alpha1.L2Attachment) {
		a.Status.Network = &v1alpha1.NetworkReference{Namespace: a.Namespace, Name: network}
	}
}

// asking is the attachment with another network in its spec.
func asking(network string) func(*v1alpha1.L2Attachment) {
	return func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = network }
}

func TestReadiness(t *testing.T) {
	port := func(state ovs.State, noted ovs.Noted) []ovs.Port {
		return []ovs.Port{{Attachment: "a-net1", Interface: "net1", Sandbox: sandbox("c1", "net1"), State: state, Noted: noted}}
	}
	older := port(ovs.State{Installed: true}, ovs.Noted{})
	older[0].Sandbox.PodUID = "older"
	installed := ovs.State{Installed: true, InstalledAt: 2}
	here := ovs.Noted{Network: "default/ping-network", InstalledAt: 2}
	ready := v1alpha1.AttachmentReady("net1")
	failed := v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, "whatever")
	noPod := v1alpha1.AttachmentNoPod("ping")
	refused := v1alpha1.NetworkNotFound(apitypes.NamespacedName{Namespace: "default", Name: "ping-network"})

	const wiring = v1alpha1.ReasonWiring
	cases := map[string]struct {
		reason     string
		attachment *v1alpha1.L2Attachment
		ports      []ovs.Port
		failed     error
		want       metav1.ConditionStatus // empty: nothing is said
		why        string
	}{
		"Wired":        {"the flows are there", attachment(), port(installed, here), nil, metav1.ConditionTrue, v1alpha1.ReasonReady},
		"FirstFlows":   {"the first flows are of where it was plugged in", attachment(on("ping-network")), port(installed, ovs.Noted{Network: "default/ping-network"}), nil, metav1.ConditionTrue, v1alpha1.ReasonReady},
		"NotYet":       {"before that, each ADD would cost two writes", attachment(), port(ovs.State{}, here), nil, "", wiring},
		"NoSandbox":    {"an ADD is under way", attachment(), nil, nil, "", wiring},
		"OtherLife":    {"the port of the pod's last life is not its", attachment(saying(ready)), older, nil, metav1.ConditionFalse, wiring},
		"Failed":       {"the device is gone or never was", attachment(), port(ovs.State{Error: "No such device"}, here), nil, metav1.ConditionFalse, v1alpha1.ReasonFailed},
		"NoDevice":     {"Open vSwitch may not have noticed", attachment(), port(installed, here), nil, metav1.ConditionFalse, v1alpha1.ReasonFailed},
		"CannotPlug":   {"the user reads why", attachment(), nil, errors.New("taken"), metav1.ConditionFalse, v1alpha1.ReasonFailed},
		"LostFlows":    {"it was ready", attachment(saying(ready)), port(ovs.State{}, here), nil, metav1.ConditionFalse, wiring},
		"LostSandbox":  {"it was ready", attachment(saying(ready)), nil, nil, metav1.ConditionFalse, wiring},
		"Mended":       {"what failed may not stand when it is tried again", attachment(saying(failed)), port(ovs.State{}, here), nil, metav1.ConditionFalse, wiring},
		"Rebound":      {"it has a pod again", attachment(saying(noPod)), nil, nil, metav1.ConditionFalse, wiring},
		"Refused":      {"the controller has removed the port, whatever flows are left", attachment(saying(refused)), port(installed, here), nil, metav1.ConditionFalse, v1alpha1.ReasonNetworkNotFound},
		"Moving":       {"the flows are of the old network", attachment(asking("b"), on("b"), saying(ready)), port(installed, here), nil, metav1.ConditionFalse, wiring},
		"Moved":        {"the flows are of the new network", attachment(asking("b"), on("b")), port(installed, ovs.Noted{Network: "default/b", InstalledAt: 2}), nil, metav1.ConditionTrue, v1alpha1.ReasonReady},
		"RefusedMove":  {"the port stays, and works", attachment(asking("b"), on("ping-network"), saying(refused)), port(installed, here), nil, metav1.ConditionTrue, v1alpha1.ReasonReady},
		"StillAllWell": {"it is ready", attachment(saying(ready)), port(installed, here), nil, metav1.ConditionTrue, v1alpha1.ReasonReady},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := readiness(view{attachment: tc.attachment, ports: tc.ports, device: name != "NoDevice"}, tc.failed)
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

// A condition that says the same of another spec is another: who waits for a
// move looks at its generation.
func TestConditionStands(t *testing.T) {
	ready := v1alpha1.AttachmentReady("net1")
	cases := map[string]struct {
		reason     string
		stood      metav1.Condition
		generation int64
		on         string
		refused    bool
		want       bool
	}{
		"Same":      {"nothing has changed", ready, 2, "b", false, true},
		"Unready":   {"it was not ready", v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, ready.Message), 2, "b", false, false},
		"Interface": {"the message names another interface", v1alpha1.AttachmentReady("net2"), 2, "b", false, false},
		"Moved":     {"the port is where this spec wants it", ready, 1, "b", false, false},
		"UnderWay":  {"the port is not there yet", ready, 1, "a", false, true},
		"Refused":   {"the port stays, for this spec", ready, 1, "a", true, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Generation: 2}}
			a.Spec.Network.Name = "b"
			a.Status.Network = &v1alpha1.NetworkReference{Namespace: "default", Name: tc.on}
			tc.stood.ObservedGeneration = tc.generation
			a.Status.Conditions = []metav1.Condition{tc.stood}
			if tc.refused {
				no := v1alpha1.AttachmentRefused(v1alpha1.ReasonAddressTaken, "")
				no.ObservedGeneration = 2
				a.Status.Conditions = append(a.Status.Conditions, no)
			}
			if got := stands(a, ready); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}
