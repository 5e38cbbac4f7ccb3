//go:build e2e

package e2e

// Lab only: it adds admission policies that change all pods.

import (
	"fmt"
	"strings"
	"testing"
)

// injector is a mutating policy of somebody else's, which writes an annotation
// of the scenario's pods that are labelled with its name.
func (s *scenario) injector(name, annotation, value, again string) string {
	return fmt.Sprintf(`{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy", "metadata": {"name": %[1]q}, "spec": {
	"failurePolicy": "Fail", "reinvocationPolicy": %[5]q, "matchConstraints": {
		"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": %[2]q}}, "objectSelector": {"matchLabels": {"inject": %[1]q}},
		"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]},
	"mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{metadata: Object.metadata{annotations: {'%[3]s': '%[4]s'}}}"}}]}}
---
{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": %[1]q}, "spec": {"policyName": %[1]q}}`,
		name, s.namespace, annotation, value, again)
}

// Another policy that writes the pod's annotations, called before ours or after
// it: the pod has its Multus entry, and starts with its interfaces.
func TestAnnotationsOfOtherPolicies(t *testing.T) {
	s := newScenario(t)
	const own, multus = "l2sm.io/networks", "k8s.v1.cni.cncf.io/networks"
	policies := []struct{ name, annotation, value, again string }{
		{"aa-e2e-own", own, "a", "Never"},
		{"zz-e2e-own", own, "a", "Never"},
		{"aa-e2e-multus", multus, "b", "Never"},
		{"zz-e2e-multus", multus, "b", "Never"},
	}
	s.apply(network("a", "10.154.0.0/24"), network("b", "10.155.0.0/24"))
	for _, p := range policies {
		s.apply(s.injector(p.name, p.annotation, p.value, p.again))
		t.Cleanup(func() {
			s.kubectl("delete", "mutatingadmissionpolicy,mutatingadmissionpolicybinding", p.name)
		})
	}
	for _, p := range policies {
		it := pod{name: p.name, labels: map[string]string{"inject": p.name}}
		links := []string{"net1"}
		if p.annotation == multus {
			it.networks, links = "a", []string{"net1", "net2"}
		}
		// A policy is in force a moment after it was made.
		s.eventually("policy "+p.name+" is in force", func() error {
			out := s.kubectl("create", "--dry-run=server", "-f", s.file(it.String()), "-o", `jsonpath={.metadata.annotations}`)
			if !strings.Contains(out, fmt.Sprintf(`%q:"%s`, p.annotation, p.value)) {
				return fmt.Errorf("the annotations are %s", out)
			}
			return nil
		})
		s.apply(it.String())
		s.ready(p.name)
		s.says("l2sm-system/l2sm", "get", "pod", p.name, "-o", `jsonpath={.metadata.annotations.k8s\.v1\.cni\.cncf\.io/networks}`)
		s.links(p.name, links...)
	}
}
