package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// expectReason checks a decision: the empty reason is yes.
func expectReason(t *testing.T, why, want string, err error) {
	t.Helper()
	refused, ok := asRefusal(err)
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: refused with %v", why, err)
	case want != "" && !ok:
		t.Errorf("%s: got %v, want a refusal %s", why, err, want)
	case want != "" && refused.Reason != want:
		t.Errorf("%s: refused with %s, want %s", why, refused.Reason, want)
	}
}

func TestCheckBinding(t *testing.T) {
	yes := true
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid-1"}, Spec: corev1.PodSpec{NodeName: "node-a"}}
		change(p)
		return p
	}
	asIs := func(*corev1.Pod) {}
	born := func(a *v1alpha1.L2Attachment) {
		a.Annotations = map[string]string{v1alpha1.EntryAnnotation: `{"name":"lab"}`}
		a.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "ping", UID: "uid-1", Controller: &yes}}
	}
	cases := map[string]struct {
		reason string
		pod    *corev1.Pod
		change func(*v1alpha1.L2Attachment)
		want   string
	}{
		"True":      {"the controller's own work", pod(asIs), born, ""},
		"NoPod":     {"a pod that does not exist runs nowhere", nil, born, v1alpha1.ReasonForged},
		"OtherUID":  {"another life of the pod", pod(func(p *corev1.Pod) { p.UID = "uid-2" }), born, v1alpha1.ReasonForged},
		"OtherNode": {"another node would get the port", pod(func(p *corev1.Pod) { p.Spec.NodeName = "node-b" }), born, v1alpha1.ReasonForged},
		"Ended":     {"a pod that has ended has no interfaces", pod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), born, v1alpha1.ReasonPodEnded},
		"Host":      {"a pod on the node's network has none of its own", pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), born, v1alpha1.ReasonInvalid},
		"ByHand":    {"a user's, bound truly", pod(asIs), func(*v1alpha1.L2Attachment) {}, ""},
		"Unbound":   {"one that lost its binding", pod(asIs), func(a *v1alpha1.L2Attachment) { born(a); a.Spec.PodUID, a.Spec.NodeName = "", "" }, v1alpha1.ReasonForged},
		"NotOwned":  {"an adopted one is a user's", pod(asIs), func(a *v1alpha1.L2Attachment) { born(a); a.OwnerReferences = nil }, ""},
		"OfAnother": {"born of another life, and bound to this one by hand", pod(asIs), func(a *v1alpha1.L2Attachment) { born(a); a.OwnerReferences[0].UID = "uid-0" }, v1alpha1.ReasonInvalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := &v1alpha1.L2Attachment{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping-net1-uid-1"},
				Spec:       v1alpha1.L2AttachmentSpec{PodName: "ping", PodUID: "uid-1", NodeName: "node-a"},
			}
			tc.change(a)
			expectReason(t, tc.reason, tc.want, checkBinding(a, tc.pod))
		})
	}
}

func TestMayUse(t *testing.T) {
	team := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}
	cases := map[string]struct {
		reason    string
		allowed   v1alpha1.AllowedNamespaces
		namespace string
		labels    labels.Set
		want      string
	}{
		"Own":           {"a network is its own namespace's", v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame}, "lab", nil, ""},
		"Default":       {"and of nobody else, unless it says so", v1alpha1.AllowedNamespaces{}, "other", nil, v1alpha1.ReasonNotAllowed},
		"All":           {"All is all", v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}, "other", nil, ""},
		"Selected":      {"labels decide", v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: team}, "other", labels.Set{"team": "red"}, ""},
		"NotSelected":   {"labels decide", v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: team}, "other", labels.Set{"team": "blue"}, v1alpha1.ReasonNotAllowed},
		"OwnUnselected": {"a selector replaces Same, as with the Gateway API", v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: team}, "lab", nil, v1alpha1.ReasonNotAllowed},
		"NoSelector":    {"Selector without one selects nobody", v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector}, "other", nil, v1alpha1.ReasonNotAllowed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net"}}
			network.Spec.AllowedNamespaces = tc.allowed
			expectReason(t, tc.reason, tc.want, mayUse(network, tc.namespace, tc.labels))
		})
	}
}

func TestMayJoin(t *testing.T) {
	now := metav1.Now()
	large, fits := int32(1443), int32(1442)
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Network)
		asked  v1alpha1.PortSecurity
		want   string
	}{
		"Yes":             {"a plain network takes everybody", func(*v1alpha1.L2Network) {}, "", ""},
		"Deleting":        {"who comes now would keep it for ever", func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &now }, "", v1alpha1.ReasonNetworkGone},
		"LargeMTU":        {"frames would be lost silently", func(n *v1alpha1.L2Network) { n.Spec.MTU = &large }, "", v1alpha1.ReasonNotAccepted},
		"FittingMTU":      {"1500 less 58", func(n *v1alpha1.L2Network) { n.Spec.MTU = &fits }, "", ""},
		"Override":        {"a choice that the network does not give", func(*v1alpha1.L2Network) {}, v1alpha1.PortSecurityDisabled, v1alpha1.ReasonNotAllowed},
		"OverrideSame":    {"asking for what one gets anyway is no override", func(*v1alpha1.L2Network) {}, v1alpha1.PortSecurityMAC, ""},
		"OverrideAllowed": {"a choice that it gives", func(n *v1alpha1.L2Network) { n.Spec.AllowPortSecurityOverride = true }, v1alpha1.PortSecurityDisabled, ""},
		"BackwardsRange": {"what CEL does not see is seen here", func(n *v1alpha1.L2Network) {
			n.Spec.IPAM = &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}, Ranges: []string{"10.0.0.9-10.0.0.1"}}
		}, "", v1alpha1.ReasonNotAccepted},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net"}}
			tc.change(network)
			expectReason(t, tc.reason, tc.want, mayJoin(network, tc.asked, 1500))
		})
	}
}

// A cache may still show a pod that is gone, after it has heard that the
// pod's attachments went with it.
func TestAlive(t *testing.T) {
	now := metav1.Now()
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "one"}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	fresh, other, going := pod, pod, pod
	fresh.Status.Phase = corev1.PodPending
	other.UID = "two"
	going.DeletionTimestamp = &now
	cases := map[string]struct {
		reason string
		cached corev1.Pod
		served bool
		live   []corev1.Pod
		want   bool
	}{
		"Runs":     {"a running pod may lack an attachment: its annotation was edited", pod, false, []corev1.Pod{pod}, true},
		"Gone":     {"a running pod's attachments were made once: that they are missing may be its end", pod, false, nil, false},
		"Replaced": {"another pod of its name is not it", pod, false, []corev1.Pod{other}, false},
		"Going":    {"nor is it for long", pod, false, []corev1.Pod{going}, false},
		"Fresh":    {"a pod that is about to start need not be asked for: that would cost a request each", fresh, false, nil, true},
		"Served":   {"but for one that had its attachments: they may have gone with it", fresh, true, nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := &Admission{Live: &records{pods: tc.live}}
			got, err := a.Alive(t.Context(), &tc.cached, tc.served)
			if err != nil || got != tc.want {
				t.Errorf("%s: got %v, %v, want %v", tc.reason, got, err, tc.want)
			}
		})
	}
}
