//go:build integration

package policies_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// parse reads a user's file.
func parse(t *testing.T, namespace, file string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(file), &o.Object); err != nil {
		t.Fatal(err)
	}
	o.SetNamespace(namespace)
	return o
}

// replace is `kubectl replace` of a user's file.
func replace(t *testing.T, c client.Client, namespace, file string) error {
	t.Helper()
	o, live := parse(t, namespace, file), parse(t, namespace, file)
	get(t, live)
	o.SetResourceVersion(live.GetResourceVersion())
	return c.Update(t.Context(), o)
}

const attachmentFile = `
apiVersion: l2sm.io/v1alpha1
kind: L2Attachment
metadata: {name: hot}
spec: {podName: p, network: {name: a}}
`

// completed makes the file's attachment and completes it as the controller does.
func completed(t *testing.T) *v1alpha1.L2Attachment {
	t.Helper()
	namespace := newNamespace(t)
	create(t, parse(t, namespace, attachmentFile))
	a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hot"}}
	get(t, a)
	a.Annotations = map[string]string{v1alpha1.EntryAnnotation: `{"name":"a"}`}
	a.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "p", UID: "1"}}
	a.Spec.PodUID, a.Spec.NodeName, a.Spec.Interface = "1", "node-a", "net1"
	a.Spec.MACAddress, a.Spec.Addresses = "0a:58:0a:99:00:01", []string{"10.153.0.1/24"}
	if err := as(t, controllerAccount, nil).Patch(t.Context(), a, client.Merge); err != nil {
		t.Fatal(err)
	}
	return a
}

func untilAssignmentsStay(t *testing.T) {
	t.Helper()
	a := completed(t)
	eventually(t, func(g Gomega) { g.Expect(replace(t, admin, a.Namespace, attachmentFile)).To(Succeed()) })
}

func TestReplacedAttachmentKeepsWhatWasAssigned(t *testing.T) {
	untilAssignmentsStay(t)
	const head = "apiVersion: l2sm.io/v1alpha1\nkind: L2Attachment\nmetadata: {name: hot}\n"
	moved := func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = "b" }
	cases := map[string]struct {
		reason string
		file   string
		want   func(*v1alpha1.L2Attachment)
		errors bool
	}{
		"Same":           {"The user's own file changes nothing.", attachmentFile, nil, false},
		"Empty":          {"Nor do empty values.", head + `spec: {podName: p, network: {name: a}, interface: "", macAddress: "", addresses: [], podUID: "", nodeName: ""}`, nil, false},
		"Values":         {"Nor do the values that it has.", head + `spec: {podName: p, network: {name: a}, interface: net1, macAddress: "0a:58:0a:99:00:01", addresses: [10.153.0.1/24]}`, nil, false},
		"Move":           {"A file that names another network moves the port, with its addresses.", head + `spec: {podName: p, network: {name: b}}`, moved, false},
		"OtherInterface": {"Another interface is refused.", head + `spec: {podName: p, network: {name: a}, interface: net2}`, nil, true},
		"OtherMAC":       {"Another MAC address is refused.", head + `spec: {podName: p, network: {name: a}, macAddress: "0a:58:0a:99:00:02"}`, nil, true},
		"OtherAddress":   {"Other addresses are refused.", head + `spec: {podName: p, network: {name: a}, addresses: [10.153.0.2/24]}`, nil, true},
		"OtherPod":       {"Another pod is refused.", head + `spec: {podName: q, network: {name: a}}`, nil, true},
		"OtherUID":       {"A node is not carried over to another life of the pod; what is forged the controller refuses.", head + `spec: {podName: p, podUID: "2", network: {name: a}}`, func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "2", "" }, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := completed(t)
			err := replace(t, admin, want.Namespace, tc.file)
			if tc.errors != apierrors.IsInvalid(err) || !tc.errors && err != nil {
				t.Errorf("%s got error %v, want invalid %v", tc.reason, err, tc.errors)
			}
			if tc.want != nil {
				tc.want(want)
			}
			got := want.DeepCopy()
			get(t, got)
			ignored := cmpopts.IgnoreFields(metav1.ObjectMeta{}, "ResourceVersion", "Generation", "ManagedFields")
			if diff := cmp.Diff(want, got, ignored); diff != "" {
				t.Errorf("%s -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAppliedAttachmentKeepsWhatWasAssigned(t *testing.T) {
	untilAssignmentsStay(t)
	namespace := newNamespace(t)
	apply := func(spec string) error {
		o := parse(t, namespace, "apiVersion: l2sm.io/v1alpha1\nkind: L2Attachment\nmetadata: {name: hot}\nspec: "+spec)
		return admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("gitops"))
	}
	if err := apply(`{podName: p, network: {name: a}, macAddress: "0a:58:0a:99:00:01", addresses: [10.153.0.1/24]}`); err != nil {
		t.Fatal(err)
	}
	if err := apply(`{podName: p, network: {name: a}}`); err != nil {
		t.Errorf("apply of a file that does not name the assigned any more: %v", err)
	}
	a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hot"}}
	get(t, a)
	if a.Spec.MACAddress != "0a:58:0a:99:00:01" || len(a.Spec.Addresses) != 1 {
		t.Errorf("got MAC address %q and addresses %v, want them kept", a.Spec.MACAddress, a.Spec.Addresses)
	}
}

func TestControllerUnbindsAttachments(t *testing.T) {
	untilAssignmentsStay(t)
	a := completed(t)
	before := a.DeepCopy()
	a.Spec.PodUID, a.Spec.NodeName, a.OwnerReferences = "", "", nil
	if err := as(t, controllerAccount, nil).Patch(t.Context(), a, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	get(t, a)
	if a.Bound() || len(a.OwnerReferences) != 0 {
		t.Errorf("got podUID %q, nodeName %q and owners %v, want none: the controller takes them away when the pod is gone", a.Spec.PodUID, a.Spec.NodeName, a.OwnerReferences)
	}
	if a.Spec.MACAddress == "" {
		t.Error("the MAC address is gone with the pod")
	}
}

// TestGarbageCollectorOrphansAttachments: `kubectl delete pod --cascade=orphan`
// ends when no ownerReference is left.
func TestGarbageCollectorOrphansAttachments(t *testing.T) {
	untilAssignmentsStay(t)
	a := completed(t)
	c := *config
	c.Impersonate.UserName = "system:serviceaccount:kube-system:generic-garbage-collector"
	c.Impersonate.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated", "system:masters"}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"ownerReferences":null}}`))
	if err := newClient(t, &c).Patch(t.Context(), a, patch); err != nil {
		t.Fatal(err)
	}
	if len(a.OwnerReferences) != 0 {
		t.Errorf("got owners %v, want none", a.OwnerReferences)
	}
}

func TestReplacedNetworkKeepsItsDefaults(t *testing.T) {
	const file = `
apiVersion: l2sm.io/v1alpha1
kind: L2Network
metadata: {name: a}
spec: {ipam: {subnets: ["10.153.0.0/24"]}}
`
	namespace := newNamespace(t)
	create(t, parse(t, namespace, file))
	want := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "a"}}
	get(t, want)
	if err := replace(t, admin, namespace, file); err != nil {
		t.Errorf("replace of the file that created it: %v", err)
	}
	got := want.DeepCopy()
	get(t, got)
	if diff := cmp.Diff(want.Spec, got.Spec); diff != "" || got.Generation != want.Generation {
		t.Errorf("got generation %d, want %d; spec -want, +got:\n%s", got.Generation, want.Generation, diff)
	}
}
