//go:build integration

package policies_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func onNode(names ...string) map[string][]string {
	return map[string][]string{"authentication.kubernetes.io/node-name": names}
}

// wired is an attachment on a node, with all that the controller says of one.
func wired(t *testing.T, namespace, node string) *v1alpha1.L2Attachment {
	t.Helper()
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "a-"},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: "p", PodUID: "1", NodeName: node, Interface: "net1",
			Network: v1alpha1.NetworkReference{Name: "lab"}, MACAddress: "02:00:00:00:00:01",
		},
	}
	create(t, a)
	a.Status = v1alpha1.L2AttachmentStatus{
		Network: &v1alpha1.NetworkReference{Namespace: namespace, Name: "lab"}, PortName: "l2sm/x/a", MTU: 1400,
		Conditions: []metav1.Condition{dated(v1alpha1.AttachmentAccepted())},
	}
	if err := admin.Status().Update(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

func dated(c metav1.Condition) metav1.Condition {
	c.LastTransitionTime = metav1.Now()
	return c
}

// say applies conditions, as an agent does.
func say(ctx context.Context, c client.Client, a *v1alpha1.L2Attachment, status map[string]any) error {
	text, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "L2Attachment",
		"metadata": map[string]any{"namespace": a.Namespace, "name": a.Name}, "status": status,
	})
	if err != nil {
		return err
	}
	patch := client.RawPatch(types.ApplyPatchType, text)
	return c.Status().Patch(ctx, a.DeepCopy(), patch, client.FieldOwner("l2sm-agent"), client.ForceOwnership, client.DryRunAll)
}

func conditions(all ...metav1.Condition) map[string]any {
	for i := range all {
		all[i] = dated(all[i])
	}
	return map[string]any{"conditions": all}
}

func TestAgentWritesItsOwnNodesAttachments(t *testing.T) {
	namespace := newNamespace(t)
	here, unbound := wired(t, namespace, "node-a"), wired(t, namespace, "")
	ready := conditions(v1alpha1.AttachmentReady("net1"))
	cases := map[string]struct {
		reason  string
		claims  map[string][]string
		of      *v1alpha1.L2Attachment
		allowed bool
	}{
		"Own":      {"It says that its own node wired it.", onNode("node-a"), here, true},
		"Another":  {"Another node's are not its to judge.", onNode("node-b"), here, false},
		"NoClaim":  {"A token made by hand may come from anywhere.", nil, here, false},
		"NoValue":  {"Nor does an empty claim say from where.", onNode(""), unbound, false},
		"Unbound":  {"No node wires an attachment without one.", onNode("node-a"), unbound, false},
		"TwoNodes": {"A token is of one node.", onNode("node-a", "node-b"), here, false},
	}
	eventually(t, func(g Gomega) {
		err := say(t.Context(), as(t, agentAccount, nil), here, ready)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := say(t.Context(), as(t, agentAccount, tc.claims), tc.of, ready)
			if tc.allowed && err != nil || !tc.allowed && !apierrors.IsForbidden(err) {
				t.Errorf("%s got error %v, want allowed %v", tc.reason, err, tc.allowed)
			}
		})
	}
}

func TestAgentWritesReadyOnly(t *testing.T) {
	namespace := newNamespace(t)
	a, agent := wired(t, namespace, "node-a"), as(t, agentAccount, onNode("node-a"))
	ready := v1alpha1.AttachmentReady("net1")
	cases := map[string]struct {
		reason  string
		status  map[string]any
		allowed bool
	}{
		"Ready":    {"It is the agent's to say.", conditions(ready), true},
		"NotReady": {"In both ways.", conditions(v1alpha1.AttachmentNotReady(v1alpha1.ReasonFailed, "x")), true},
		"Accepted": {"The controller refuses, and the agent obeys.", conditions(ready, v1alpha1.PodEnded("p")), false},
		"Another":  {"A condition of another type is not the agent's.", conditions(ready, metav1.Condition{Type: "Other", Status: "True", Reason: "X"}), false},
		"Network":  {"The controller knows where the port is.", map[string]any{"network": map[string]any{"namespace": "x", "name": "y"}}, false},
		"Port":     {"And what it is called.", map[string]any{"portName": "l2sm/x/other"}, false},
		"MTU":      {"And what fits.", map[string]any{"mtu": 9000}, false},
	}
	eventually(t, func(g Gomega) {
		err := say(t.Context(), agent, a, cases["Port"].status)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := say(t.Context(), agent, a, tc.status)
			if tc.allowed && err != nil || !tc.allowed && !apierrors.IsForbidden(err) {
				t.Errorf("%s got error %v, want allowed %v", tc.reason, err, tc.allowed)
			}
			if err := say(t.Context(), admin, a, tc.status); err != nil {
				t.Errorf("others are not concerned: %v", err)
			}
		})
	}
}

// TestAgentPolicyKnowsTheStatus: CEL can't compare "all other fields", so a new
// field of the status must be added to the policy.
func TestAgentPolicyKnowsTheStatus(t *testing.T) {
	objects, err := read("validating/agent-attachments.yaml")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := json.Marshal(objects[0])
	if err != nil {
		t.Fatal(err)
	}
	status := reflect.TypeFor[v1alpha1.L2AttachmentStatus]()
	for i := range status.NumField() {
		name, _, _ := strings.Cut(status.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(string(policy), "object.?status.?"+name) {
			t.Errorf("validating/agent-attachments.yaml does not compare status.%s, which an agent could write", name)
		}
	}
}

// TestAgentsTokenNamesItsNode uses a token as the kubelet gets it for a pod:
// the claim that the policy reads is in it.
func TestAgentsTokenNamesItsNode(t *testing.T) {
	namespace := newNamespace(t)
	here, there := wired(t, namespace, "node-a"), wired(t, namespace, "node-b")
	ready := conditions(v1alpha1.AttachmentReady("net1"))
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: agentAccount}}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, GenerateName: "agent-"},
		Spec:       corev1.PodSpec{NodeName: "node-a", ServiceAccountName: agentAccount, Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	create(t, pod)
	agent := func(of *corev1.Pod) client.Client {
		token := &authenticationv1.TokenRequest{}
		if of != nil {
			token.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: of.Name, UID: of.UID}
		}
		if err := admin.SubResource("token").Create(t.Context(), account, token); err != nil {
			t.Fatal(err)
		}
		c := rest.AnonymousClientConfig(config)
		c.BearerToken = token.Status.Token
		return newClient(t, c)
	}
	bound, loose := agent(pod), agent(nil)

	eventually(t, func(g Gomega) {
		err := say(t.Context(), loose, here, ready)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "a token bound to no pod: %v", err)
	})
	if err := say(t.Context(), bound, here, ready); err != nil {
		t.Errorf("its own node's attachment: %v", err)
	}
	if err := say(t.Context(), bound, there, ready); !apierrors.IsForbidden(err) {
		t.Errorf("another node's attachment: got error %v, want Forbidden", err)
	}
}
