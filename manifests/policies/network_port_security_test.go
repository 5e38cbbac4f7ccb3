//go:build integration

package policies_test

import (
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// editor is a client of a user who may do all with L2Networks of the namespace
// that has no verb of l2sm's own.
func editor(t *testing.T, namespace, name string) client.Client {
	t.Helper()
	create(t, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"l2networks"},
			Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
		}},
	})
	bind(t, namespace, name, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name})
	c := rest.CopyConfig(config)
	c.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"system:authenticated"}}
	return newClient(t, c)
}

func bind(t *testing.T, namespace, user string, role rbacv1.RoleRef) {
	t.Helper()
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "editor-"}, RoleRef: role,
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
}

// To open a network takes a verb of its own; what is open already can be changed
// otherwise, by anybody who may write it.
func TestDisablingPortSecurityTakesAVerb(t *testing.T) {
	namespace := newNamespace(t)
	plain, trusted := editor(t, namespace, "plain"), editor(t, namespace, "trusted")
	bind(t, namespace, "trusted", rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "l2sm-disable-port-security"})
	mtu := int32(1300)
	disabled := func(s *v1alpha1.L2NetworkSpec) { s.PortSecurity = v1alpha1.PortSecurityDisabled }
	override := func(s *v1alpha1.L2NetworkSpec) { s.AllowPortSecurityOverride = true }
	strict := func(s *v1alpha1.L2NetworkSpec) { s.PortSecurity = v1alpha1.PortSecurityStrict }
	smaller := func(s *v1alpha1.L2NetworkSpec) { s.MTU = &mtu }
	nothing := func(*v1alpha1.L2NetworkSpec) {}
	both := func(s *v1alpha1.L2NetworkSpec) { disabled(s); override(s) }

	cases := map[string]struct {
		reason      string
		was, wanted func(*v1alpha1.L2NetworkSpec) // was is nil for a new network
		needs       bool
	}{
		"New":            {"a plain network is anybody's to make", nil, nothing, false},
		"NewMAC":         {"so is one that pods choose addresses on", nil, func(s *v1alpha1.L2NetworkSpec) { s.PortSecurity = v1alpha1.PortSecurityMAC }, false},
		"NewDisabled":    {"one without port security is not", nil, disabled, true},
		"NewOverride":    {"nor one that lets pods do without", nil, override, true},
		"Disable":        {"nor can it be made so later", strict, disabled, true},
		"Allow":          {"nor in the other way", nothing, override, true},
		"AllowToo":       {"to open it in one way is not to open it in both", disabled, both, true},
		"ChangeDisabled": {"what is open can be changed otherwise", disabled, func(s *v1alpha1.L2NetworkSpec) { disabled(s); smaller(s) }, false},
		"ChangeOverride": {"in both ways", override, func(s *v1alpha1.L2NetworkSpec) { override(s); smaller(s) }, false},
		"Close":          {"and be closed", both, strict, false},
	}
	write := func(t *testing.T, c client.Client, was, wanted func(*v1alpha1.L2NetworkSpec)) error {
		t.Helper()
		n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "net-"}}
		if was == nil {
			wanted(&n.Spec)
			return c.Create(t.Context(), n, client.DryRunAll)
		}
		was(&n.Spec)
		create(t, n)
		n.Spec.PortSecurity, n.Spec.AllowPortSecurityOverride = "", false
		wanted(&n.Spec)
		return c.Update(t.Context(), n, client.DryRunAll)
	}
	eventually(t, func(g Gomega) {
		g.Expect(apierrors.IsForbidden(write(t, plain, nil, disabled))).To(BeTrue())
		g.Expect(write(t, trusted, nil, disabled)).To(Succeed())
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := write(t, plain, tc.was, tc.wanted); tc.needs != apierrors.IsForbidden(err) || !tc.needs && err != nil {
				t.Errorf("%s: without the verb the error is %v", tc.reason, err)
			}
			if err := write(t, trusted, tc.was, tc.wanted); err != nil {
				t.Errorf("%s: with the verb: %v", tc.reason, err)
			}
			if err := write(t, admin, tc.was, tc.wanted); err != nil {
				t.Errorf("%s: an administrator has it: %v", tc.reason, err)
			}
		})
	}
}

// The controller finalizes networks and writes their status, whatever they are.
func TestControllerWritesOpenNetworks(t *testing.T) {
	namespace, controller := newNamespace(t), as(t, controllerAccount, nil)
	n := &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "open"},
		Spec:       v1alpha1.L2NetworkSpec{PortSecurity: v1alpha1.PortSecurityDisabled, AllowPortSecurityOverride: true},
	}
	create(t, n)
	finalized := n.DeepCopy()
	finalized.Finalizers = []string{"l2sm.io/network"}
	if err := controller.Patch(t.Context(), finalized, client.MergeFrom(n), client.DryRunAll); err != nil {
		t.Errorf("finalize: %v", err)
	}
	accepted := n.DeepCopy()
	accepted.Status.InForce = &n.Spec
	if err := controller.Status().Patch(t.Context(), accepted, client.MergeFrom(n), client.DryRunAll); err != nil {
		t.Errorf("write status: %v", err)
	}
}
