//go:build integration

package policies_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestControllerCreatesItsAuthorityOnly(t *testing.T) {
	controller := as(t, controllerAccount, nil)
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}
	}
	tls := map[string][]byte{"tls.crt": []byte("x"), "tls.key": []byte("x")}
	account := meta("ovn-node-ca")
	account.Annotations = map[string]string{corev1.ServiceAccountNameKey: controllerAccount}
	cases := map[string]struct {
		reason  string
		object  client.Object
		allowed bool
	}{
		"Authority":   {"It keeps the key there.", &corev1.Secret{ObjectMeta: meta("ovn-node-ca"), Type: corev1.SecretTypeTLS, Data: tls}, true},
		"Metrics":     {"Without ovn-central it makes what metrics are served with.", &corev1.Secret{ObjectMeta: meta("l2sm-agent-tls"), Type: corev1.SecretTypeTLS, Data: tls}, true},
		"Trust":       {"Agents read it.", &corev1.ConfigMap{ObjectMeta: meta("ovn-trust")}, true},
		"Token":       {"The API server would fill it with any account's token.", &corev1.Secret{ObjectMeta: account, Type: corev1.SecretTypeServiceAccountToken}, false},
		"Opaque":      {"Its type would be another.", &corev1.Secret{ObjectMeta: meta("ovn-node-ca"), Data: tls}, false},
		"Other":       {"It is another's.", &corev1.Secret{ObjectMeta: meta("ovn-control-ca"), Type: corev1.SecretTypeTLS, Data: tls}, false},
		"OtherConfig": {"It is another's.", &corev1.ConfigMap{ObjectMeta: meta("l2sm-settings")}, false},
	}
	eventually(t, func(g Gomega) {
		err := controller.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta("probe")}, client.DryRunAll)
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := controller.Create(t.Context(), tc.object.DeepCopyObject().(client.Object), client.DryRunAll)
			if tc.allowed && err != nil || !tc.allowed && !apierrors.IsForbidden(err) {
				t.Errorf("%s got error %v, want allowed %v", tc.reason, err, tc.allowed)
			}
		})
	}
}
