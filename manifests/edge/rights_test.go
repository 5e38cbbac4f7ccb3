//go:build integration

package edge_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// start returns an administrator of a real kube-apiserver in which the component's roles
// are.
func start(t *testing.T) client.Client {
	t.Helper()
	env := &envtest.Environment{}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver and etcd: %v; KUBEBUILDER_ASSETS must name the folder of their binaries, and `make test` sets it", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	system := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	system.SetName(v1alpha1.SystemNamespace)
	for _, o := range append([]client.Object{system}, read(t, "namespace.yaml", "rbac.yaml", "role.yaml")...) {
		if err := admin.Create(t.Context(), o); err != nil {
			t.Fatalf("create %s: %v", o.GetName(), err)
		}
	}
	return admin
}

func read(t *testing.T, files ...string) []client.Object {
	t.Helper()
	var all []client.Object
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range bytes.SplitSeq(bytes.TrimPrefix(text, []byte("---\n")), []byte("\n---\n")) {
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, &o.Object); err != nil {
				t.Fatalf("parse %s: %v", file, err)
			}
			all = append(all, o)
		}
	}
	return all
}

// An edge says what its peers announce, and nothing else; it reads the Secrets of its own
// namespace and of no other.
func TestEdgesRights(t *testing.T) {
	admin := start(t)
	const system, edges, users = v1alpha1.SystemNamespace, "l2sm-edge", "default"
	for _, tc := range []struct {
		verb, group, resource, sub, namespace, name string
		may                                         bool
	}{
		{"watch", "l2sm.io", "l2peers", "", "", "", true},
		{"patch", "l2sm.io", "l2peers", "status", "", "west", true},
		{"create", "l2sm.io", "l2remotes", "", users, "", true},
		{"delete", "l2sm.io", "l2remotes", "", users, "x", true},
		{"watch", "", "secrets", "", edges, "", true},
		{"create", "", "secrets", "", edges, "", true},
		{"patch", "", "secrets", "", edges, "wireguard-n1", true},
		{"patch", "l2sm.io", "l2edges", "status", "", "default", true},
		{"update", "coordination.k8s.io", "leases", "", system, "l2sm-edge", true},
		{"patch", "l2sm.io", "l2peers", "", "", "west", false},
		{"patch", "l2sm.io", "l2edges", "", "", "default", false},
		{"patch", "l2sm.io", "l2networks", "", users, "x", false},
		{"patch", "l2sm.io", "l2networks", "status", users, "x", false},
		{"patch", "l2sm.io", "l2attachments", "status", users, "x", false},
		{"create", "l2sm.io", "l2attachments", "", users, "", false},
		{"get", "", "secrets", "", system, "ovn-node-ca", false},
		{"get", "", "secrets", "", users, "x", false},
		{"create", "", "secrets", "", system, "", false},
		{"create", "", "secrets", "", users, "", false},
		{"delete", "", "secrets", "", edges, "wireguard-n1", false},
		{"update", "coordination.k8s.io", "leases", "", system, "l2sm-controller", false},
		{"get", "", "pods", "", users, "x", false},
		{"patch", "", "nodes", "", "", "n1", false},
	} {
		name := fmt.Sprintf("%s %s/%s of %q", tc.verb, tc.resource, tc.sub, tc.namespace)
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Eventually(func() (bool, error) {
				review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User: "system:serviceaccount:" + system + ":l2sm-edge", Groups: []string{"system:serviceaccounts", "system:authenticated"},
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Verb: tc.verb, Group: tc.group, Resource: tc.resource, Subresource: tc.sub, Namespace: tc.namespace, Name: tc.name,
					},
				}}
				err := admin.Create(t.Context(), review)
				return review.Status.Allowed, err
			}, "10s", "50ms").Should(Equal(tc.may), "the API server takes new roles up with some delay")
		})
	}
}
