//go:build integration

package policies_test

import (
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

var labelled = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}

func definition(namespace, name string, labels map[string]string, config string) *nadv1.NetworkAttachmentDefinition {
	return &nadv1.NetworkAttachmentDefinition{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec:       nadv1.NetworkAttachmentDefinitionSpec{Config: config},
	}
}

func TestControllerCreatesDefinitionsOfItsOwn(t *testing.T) {
	namespace, controller := newNamespace(t), as(t, controllerAccount, nil)
	cases := map[string]struct {
		reason  string
		labels  map[string]string
		config  string
		allowed bool
	}{
		"Network":   {"The definition of an L2Network.", labelled, `{"cniVersion":"1.0.0","name":"lab","type":"l2sm","network":{"namespace":"a","name":"lab"}}`, true},
		"Pods":      {"The definition for pods with our annotation.", labelled, `{"cniVersion":"1.0.0","name":"l2sm","type":"l2sm"}`, true},
		"Spaces":    {"JSON may be indented.", labelled, `{ "type" : "l2sm" , "name": "lab" }`, true},
		"Unlabel":   {"Without the label the controller could not change it later.", nil, `{"type":"l2sm"}`, false},
		"OtherType": {"Multus would run another plugin as root.", labelled, `{"name":"lab","type":"bridge"}`, false},
		"Twice":     {"JSON's last key counts.", labelled, `{"type":"l2sm","type":"bridge"}`, false},
		"OtherCase": {"Go matches keys without regard to case.", labelled, `{"type":"l2sm","Type":"bridge"}`, false},
		"Escaped":   {"An escape hides a key.", labelled, `{"type":"l2sm","\u0074ype":"bridge"}`, false},
		"Chain":     {"A chain runs several plugins.", labelled, `{"plugins":[{"type":"l2sm"},{"type":"bridge"}]}`, false},
		"IPAM":      {"An IPAM plugin is a plugin.", labelled, `{"type":"l2sm","ipam":{"type":"host-local"}}`, false},
		"Prefix":    {"Another name that starts like ours is not ours.", labelled, `{"type":"l2sm-evil"}`, false},
		"Empty":     {"An empty one stands for a file on the node.", labelled, ``, false},
	}
	eventually(t, func(g Gomega) {
		err := controller.Create(t.Context(), definition(namespace, "probe", nil, "{}"), client.DryRunAll)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := controller.Create(t.Context(), definition(namespace, "lab", tc.labels, tc.config), client.DryRunAll)
			if tc.allowed && err != nil || !tc.allowed && !apierrors.IsForbidden(err) {
				t.Errorf("%s got error %v, want allowed %v", tc.reason, err, tc.allowed)
			}
			if err := admin.Create(t.Context(), definition(namespace, "lab", tc.labels, tc.config), client.DryRunAll); err != nil {
				t.Errorf("a user may write it: %v", err)
			}
		})
	}
}

func TestControllerChangesDefinitionsOfItsOwn(t *testing.T) {
	const ours, bridge = `{"type":"l2sm"}`, `{"type":"bridge"}`
	namespace, controller := newNamespace(t), as(t, controllerAccount, nil)
	create(t, definition(namespace, "ours", labelled, ours))
	create(t, definition(namespace, "theirs", nil, ours))
	cases := map[string]struct {
		reason, name, label, config string
		allowed                     bool
	}{
		"Ours":        {"It keeps its own in line.", "ours", v1alpha1.ManagedBy, `{"type":"l2sm","name":"x"}`, true},
		"OursToOther": {"Its own stay of its type.", "ours", v1alpha1.ManagedBy, bridge, false},
		"OursGiven":   {"Nor are they made to look like another's.", "ours", "helm", ours, false},
		"Theirs":      {"A user's is left alone.", "theirs", "", `{"type":"l2sm","name":"x"}`, false},
		"TheirsTaken": {"The label does not make it the controller's.", "theirs", v1alpha1.ManagedBy, ours, false},
	}
	eventually(t, func(g Gomega) {
		err := controller.Create(t.Context(), definition(namespace, "probe", nil, "{}"), client.DryRunAll)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := definition(namespace, tc.name, nil, "")
			get(t, d)
			before := d.DeepCopy()
			d.Labels, d.Spec.Config = map[string]string{v1alpha1.ManagedByLabel: tc.label}, tc.config
			err := controller.Patch(t.Context(), d, client.MergeFrom(before), client.DryRunAll)
			if tc.allowed && err != nil || !tc.allowed && !apierrors.IsForbidden(err) {
				t.Errorf("%s got error %v, want allowed %v", tc.reason, err, tc.allowed)
			}
		})
	}
}
