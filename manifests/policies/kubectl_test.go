//go:build integration

package policies_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// TestFilesRoundTrip: whatever kubectl does with the file that created a network
// and an attachment, once the controller has completed them, changes neither.
func TestFilesRoundTrip(t *testing.T) {
	untilAssignmentsStay(t)
	kubectl, err := person.Kubectl()
	if err != nil {
		t.Fatal(err)
	}
	const file = attachmentFile + `
---
apiVersion: l2sm.io/v1alpha1
kind: L2Network
metadata: {name: a}
spec: {ipam: {subnets: ["10.153.0.0/24"]}}
`
	cases := map[string]struct {
		reason string
		args   []string
	}{
		"Replace":          {"The file's objects take the place of the ones that are there.", []string{"replace"}},
		"Apply":            {"The file was created, and is applied now.", []string{"apply"}},
		"ApplyServerSide":  {"Another manager, as GitOps is one.", []string{"apply", "--server-side", "--field-manager=gitops"}},
		"Diff":             {"There is nothing to show.", []string{"diff"}},
		"DiffServerSide":   {"Nor for another manager.", []string{"diff", "--server-side", "--field-manager=gitops"}},
		"ReplaceAndDryRun": {"It says so before, too.", []string{"replace", "--dry-run=server"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := completed(t)
			path := filepath.Join(t.TempDir(), "file.yaml")
			if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			network := parse(t, want.Namespace, `{apiVersion: l2sm.io/v1alpha1, kind: L2Network, metadata: {name: a}, spec: {ipam: {subnets: ["10.153.0.0/24"]}}}`)
			create(t, network)

			args := slices.Concat(tc.args, []string{"--namespace", want.Namespace, "-f", path})
			if stdout, stderr, err := kubectl.Run(args...); err != nil {
				t.Errorf("%s %v: %v: %s%s", tc.reason, args, err, text(stdout), text(stderr))
			}
			got := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: want.Namespace, Name: want.Name}}
			get(t, got)
			if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
				t.Errorf("%s spec -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(want.OwnerReferences, got.OwnerReferences); diff != "" {
				t.Errorf("%s owners -want, +got:\n%s", tc.reason, diff)
			}
			after := network.DeepCopy()
			get(t, after)
			if after.GetGeneration() != network.GetGeneration() {
				t.Errorf("%s the network's spec changed: %v", tc.reason, after.Object["spec"])
			}
		})
	}
}

func text(r io.Reader) string {
	all, _ := io.ReadAll(r)
	return string(all)
}
