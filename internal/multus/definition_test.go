package multus

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// libcni keeps the result of an ADD in a file that is called after the config,
// the container and the interface: the kernel takes names of 255 bytes.
func TestNetworkDefinitionOfALongName(t *testing.T) {
	cases := map[string]struct {
		reason, name string
		kept         bool
	}{
		"Short":      {"A name is kept: it is what logs show.", "lab", true},
		"Longest":    {"So is one that leaves room for the rest.", strings.Repeat("n", 174), true},
		"TooLong":    {"One more does not.", strings.Repeat("n", 175), false},
		"LongestAPI": {"What the API server takes at most.", strings.Repeat("n", 253), false},
		"CutAtADot":  {"A config's name may end in any of its characters.", strings.Repeat("n.", 126), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := func(name string) (parsed struct {
				Name    string
				Network struct{ Namespace, Name string }
			}) {
				network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
				if err := json.Unmarshal([]byte(NetworkDefinition(network).Spec.Config), &parsed); err != nil {
					t.Fatal(err)
				}
				return parsed
			}
			got := config(tc.name)
			if got.Network.Name != tc.name {
				t.Errorf("%s The network is %q, want %q", tc.reason, got.Network.Name, tc.name)
			}
			if kept := got.Name == tc.name; kept != tc.kept {
				t.Errorf("%s The config's name is %q", tc.reason, got.Name)
			}
			if file := got.Name + "-" + strings.Repeat("c", 64) + "-" + strings.Repeat("i", 15); len(file) > 255 {
				t.Errorf("%s libcni's file would have a name of %d bytes", tc.reason, len(file))
			}
			if !tc.kept && got.Name == config(tc.name[:len(tc.name)-1]+"x").Name {
				t.Errorf("%s Two networks' configs are both called %q", tc.reason, got.Name)
			}
		})
	}
}

func TestRestore(t *testing.T) {
	network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "lab", UID: "1"}}
	want := NetworkDefinition(network)
	yes := true
	other := metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "App", Name: "app", UID: "2", Controller: &yes}
	cases := map[string]struct {
		reason         string
		change         func(*nadv1.NetworkAttachmentDefinition)
		kept, restored bool
	}{
		"Same":       {"Nothing differs.", func(*nadv1.NetworkAttachmentDefinition) {}, true, false},
		"Config":     {"An edited config would attach nothing.", func(d *nadv1.NetworkAttachmentDefinition) { d.Spec.Config = "{}" }, true, true},
		"Relabelled": {"The owner says that it is ours.", func(d *nadv1.NetworkAttachmentDefinition) { d.Labels[v1alpha1.ManagedByLabel] = "Helm" }, true, true},
		"NoLabels":   {"Also without any label.", func(d *nadv1.NetworkAttachmentDefinition) { d.Labels = nil }, true, true},
		"NoOwner":    {"One that a backup brought back goes with its network again.", func(d *nadv1.NetworkAttachmentDefinition) { d.OwnerReferences = nil }, true, true},
		"OtherOwner": {"Another controller's is not ours.", func(d *nadv1.NetworkAttachmentDefinition) {
			d.Labels, d.OwnerReferences = nil, []metav1.OwnerReference{other}
		}, false, true},
		"OtherNetwork": {"Nor is one that another network owns.", func(d *nadv1.NetworkAttachmentDefinition) {
			d.Labels, d.OwnerReferences[0].Name = nil, "other"
		}, false, true},
		"Foreign": {"Nor one with neither.", func(d *nadv1.NetworkAttachmentDefinition) { d.Labels, d.OwnerReferences = nil, nil }, false, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := want.DeepCopy()
			d.Annotations = map[string]string{"theirs": "stays"}
			tc.change(d)
			if got := Keeps(d); got != tc.kept {
				t.Errorf("%s Got kept %v, want %v", tc.reason, got, tc.kept)
			}
			if got := Restore(d, want); got != tc.restored {
				t.Errorf("%s Got restored %v, want %v", tc.reason, got, tc.restored)
			}
			if !tc.kept {
				return
			}
			if diff := cmp.Diff(want.Labels, d.Labels) + cmp.Diff(want.OwnerReferences, d.OwnerReferences) + cmp.Diff(want.Spec, d.Spec); diff != "" {
				t.Errorf("%s -want +got\n%s", tc.reason, diff)
			}
			if d.Annotations["theirs"] != "stays" {
				t.Errorf("%s Annotations are their users'.", tc.reason)
			}
		})
	}
}
