//go:build integration

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// An API server without the kind, as before Kubernetes 1.36, is followed by one that
// has it: networks say what is missing, for as long as it is.
func TestPolicyComesWithAnUpgrade(t *testing.T) {
	certificates := t.TempDir() // stay over a restart
	env, err := startAPIWith(func(s *envtest.APIServer) {
		s.CertDir = certificates
		s.Configure().
			Append("runtime-config", "admissionregistration.k8s.io/v1/mutatingadmissionpolicies=false,admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings=false").
			Append("disable-admission-plugins", "MutatingAdmissionPolicy").
			Set("request-timeout", "10s") // for as long it waits for the controller's watches when it ends
	}, multusCRD)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	w := startOn(t, env)
	n := w.network("lab", v1alpha1.L2NetworkSpec{})
	w.condition(n, v1alpha1.ConditionAttachedLate, metav1.ConditionTrue, v1alpha1.ReasonNoMutatingPolicies, "1.36")
	w.condition(n, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "")

	server := env.ControlPlane.GetAPIServer()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	server.Configure().Disable("runtime-config").Set("disable-admission-plugins", "ServiceAccount")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	w.condition(n, v1alpha1.ConditionAttachedLate, metav1.ConditionTrue, v1alpha1.ReasonPolicyMissing, "apply manifests/policies/mutating")

	both, err := readManifest("policies/mutating/pod-networks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range both {
		w.create(o)
	}
	w.noCondition(n, v1alpha1.ConditionAttachedLate)
	binding := both[1]
	w.remove(binding)
	w.condition(n, v1alpha1.ConditionAttachedLate, metav1.ConditionTrue, v1alpha1.ReasonPolicyMissing, v1alpha1.PodNetworksPolicy)

	said := n.ResourceVersion
	w.restart()
	other := w.network("other", v1alpha1.L2NetworkSpec{})
	w.condition(other, v1alpha1.ConditionAttachedLate, metav1.ConditionTrue, v1alpha1.ReasonPolicyMissing, "")
	w.consistently(func(g Gomega) {
		g.Expect(w.Get(t.Context(), client.ObjectKeyFromObject(n), n)).To(Succeed())
		g.Expect(n.ResourceVersion).To(Equal(said), "a restart takes nothing back")
	})

	w.attachBy = v1alpha1.AttachNRI
	w.restart()
	w.noCondition(n, v1alpha1.ConditionAttachedLate) // runtimes tell agents of pods: no policy is needed
}
