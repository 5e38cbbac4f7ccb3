//go:build integration

package policies_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// The API server keeps policies in an order of chance, and takes another one
// whenever one of them changes. So each kind of foreign policy stands there
// often, under names before and after ours, and several times in a row.
const (
	foreignPolicies = 8
	orders          = 4
)

const injects = "policies.test/inject"

// foreign is a mutating policy of somebody else, for pods that carry its name.
func foreign(name string, reinvocation admissionregistrationv1.ReinvocationPolicyType, annotations string) []client.Object {
	return []client.Object{
		&admissionregistrationv1.MutatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
				FailurePolicy:      new(admissionregistrationv1.Fail),
				ReinvocationPolicy: reinvocation,
				MatchConstraints: &admissionregistrationv1.MatchResources{
					ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{injects: name}},
					ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
						Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
						Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
					}}},
				},
				Mutations: []admissionregistrationv1.Mutation{{
					PatchType: admissionregistrationv1.PatchTypeApplyConfiguration,
					ApplyConfiguration: &admissionregistrationv1.ApplyConfiguration{
						Expression: "Object{metadata: Object.metadata{annotations: " + annotations + "}}",
					},
				}},
			},
		},
		&admissionregistrationv1.MutatingAdmissionPolicyBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
		},
	}
}

func injected(by string, annotations map[string]string) *corev1.Pod {
	p := pod(annotations, false)
	p.Labels = map[string]string{injects: by}
	return p
}

func TestPodNetworksInAnyOrder(t *testing.T) {
	const (
		asking      = "{'l2sm.io/networks': 'lab'}"
		overwriting = "{'k8s.v1.cni.cncf.io/networks': 'b'}"
		adding      = `{'k8s.v1.cni.cncf.io/networks': object.metadata.?annotations['k8s.v1.cni.cncf.io/networks'].orValue('').contains('sriov') ?
			object.metadata.annotations['k8s.v1.cni.cncf.io/networks'] :
			'sriov' + (object.metadata.?annotations['k8s.v1.cni.cncf.io/networks'].orValue('') == '' ? '' : ',' + object.metadata.annotations['k8s.v1.cni.cncf.io/networks'])}`
		never, ifNeeded = admissionregistrationv1.NeverReinvocationPolicy, admissionregistrationv1.IfNeededReinvocationPolicy
	)
	plain, asks := map[string]string{"note": "z"}, map[string]string{v1alpha1.NetworksAnnotation: "lab"}
	cases := map[string]struct {
		reason       string
		reinvocation admissionregistrationv1.ReinvocationPolicyType
		writes       string
		pod          map[string]string
		also         string
	}{
		"asks":       {"The policy adds our annotation.", never, asking, plain, ""},
		"asks-again": {"It does so whenever it is called.", ifNeeded, asking, plain, ""},
		"bare":       {"The pod has no annotation at all.", never, asking, nil, ""},
		"overwrites": {"The policy sets the Multus annotation to its own.", never, overwriting, asks, "b"},
		"adds":       {"The policy adds an entry of its own.", ifNeeded, adding, asks, "sriov"},
	}
	names := func(kind string) (all []string) {
		for i := range foreignPolicies {
			all = append(all, fmt.Sprintf("%s-%s-%d", []string{"aa", "zz"}[i%2], kind, i))
		}
		return all
	}
	for kind, tc := range cases {
		for _, name := range names(kind) {
			for _, o := range foreign(name, tc.reinvocation, tc.writes) {
				create(t, o)
				t.Cleanup(func() { _ = admin.Delete(t.Context(), o) })
			}
		}
	}
	for order := range orders {
		mark := reorder(t, order)
		for kind, tc := range cases {
			for _, name := range names(kind) {
				eventually(t, func(g Gomega) { // until it is in force
					p := injected(name, map[string]string{"probe": "x"})
					g.Expect(admin.Create(t.Context(), p, client.DryRunAll)).To(Succeed())
					g.Expect(len(p.Annotations)).To(BeNumerically(">", 1))
				})
				for range 3 {
					p := injected(name, tc.pod)
					list, err := admit(t.Context(), p)
					if err != nil {
						t.Fatal(err)
					}
					if !strings.Contains(list, "l2sm-system/l2sm") || !strings.Contains(list, tc.also) || strings.Count(list, "l2sm-system") != 1 {
						t.Errorf("%s (%s, %s): got Multus annotation %q, want our entry once and %q", tc.reason, name, mark, list, tc.also)
					}
				}
			}
		}
	}
}

// reorder makes the API server choose an order of the policies again, and
// waits until it has.
func reorder(t *testing.T, order int) string {
	t.Helper()
	mark := fmt.Sprintf("order-%d", order)
	all := foreign(mark, admissionregistrationv1.NeverReinvocationPolicy, "{'order': '"+mark+"'}")
	for _, o := range all {
		create(t, o)
		t.Cleanup(func() { _ = admin.Delete(t.Context(), o) })
	}
	eventually(t, func(g Gomega) {
		p := injected(mark, nil)
		g.Expect(admin.Create(t.Context(), p, client.DryRunAll)).To(Succeed())
		g.Expect(p.Annotations).To(HaveKeyWithValue("order", mark))
	})
	return mark
}

// TestPodNetworksAfterWebhooks: webhooks are called after all policies.
func TestPodNetworksAfterWebhooks(t *testing.T) {
	cases := map[string]struct {
		reason string
		writes map[string]string
		pod    map[string]string
		want   string
	}{
		"Asks":       {"The webhook adds our annotation.", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, map[string]string{"note": "z"}, "l2sm-system/l2sm"},
		"Overwrites": {"The webhook sets the Multus annotation to its own.", map[string]string{multus: "b"}, map[string]string{v1alpha1.NetworksAnnotation: "lab"}, "b,l2sm-system/l2sm"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			hook := strings.ToLower(name) + ".policies.test"
			create(t, webhook(t, hook, tc.writes))
			t.Cleanup(func() {
				_ = admin.Delete(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: hook}})
			})
			eventually(t, func(g Gomega) {
				p := injected(hook, map[string]string{"probe": "x"})
				g.Expect(admin.Create(t.Context(), p, client.DryRunAll)).To(Succeed())
				g.Expect(len(p.Annotations)).To(BeNumerically(">", 1))
			})
			for range 5 {
				got, err := admit(t.Context(), injected(hook, tc.pod))
				if err != nil {
					t.Fatal(err)
				}
				if got != tc.want {
					t.Errorf("%s got Multus annotation %q, want %q", tc.reason, got, tc.want)
				}
			}
		})
	}
}

// webhook serves a mutating webhook that sets annotations of pods.
func webhook(t *testing.T, name string, annotations map[string]string) *admissionregistrationv1.MutatingWebhookConfiguration {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := &admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var steps []map[string]string
		for key, value := range annotations {
			steps = append(steps, map[string]string{"op": "add", "path": "/metadata/annotations/" + strings.ReplaceAll(key, "/", "~1"), "value": value})
		}
		patch, _ := json.Marshal(steps)
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, Patch: patch, PatchType: new(admissionv1.PatchTypeJSONPatch)}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    name,
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			ObjectSelector:          &metav1.LabelSelector{MatchLabels: map[string]string{injects: name}},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      &server.URL,
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
}
