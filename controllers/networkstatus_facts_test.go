package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/multus"
)

func TestEntriesThatAreOurs(t *testing.T) {
	lab := types.NamespacedName{Namespace: "default", Name: "lab"}
	facts := statusFacts{
		attachments: map[string]*v1alpha1.L2Attachment{"net1": {}},
		kept:        map[types.NamespacedName]bool{lab: true},
		asked:       map[wire]bool{{lab, "net3"}: true},
	}
	cases := map[string]struct {
		reason, name, iface string
		want                bool
	}{
		"Ours":     {"An attachment has the interface.", "default/lab", "net1", true},
		"Moved":    {"Also where it is called otherwise by now.", "default/other", "net1", true},
		"Left":     {"What was detached is listed no more.", "default/lab", "net2", true},
		"Pods":     {"The one entry for all that a pod asks by our annotation.", multus.PodNetworks.String(), "net9", true},
		"Wired":    {"The pod asked for it before the definition was ours: another plugin's work.", "default/lab", "net3", false},
		"Foreign":  {"Another definition is not ours.", "default/macvlan", "net2", false},
		"Cluster":  {"Nor is the cluster's network.", "cluster", "eth0", false},
		"NoDevice": {"Nor is an entry without an interface.", "default/macvlan", "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := facts.ours(nadv1.NetworkStatus{Name: tc.name, Interface: tc.iface}); got != tc.want {
				t.Errorf("%s Got ours %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

// countedReads is a cache that counts what it is asked. It has one pod and nothing
// else.
type countedReads struct {
	client.Client
	pod       *corev1.Pod
	gets, all int
}

func (r *countedReads) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if pod, ok := into.(*corev1.Pod); ok {
		r.pod.DeepCopyInto(pod)
		return nil
	}
	r.gets++
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (r *countedReads) List(context.Context, client.ObjectList, ...client.ListOption) error {
	r.all++
	return nil
}

// A pod's network-status is any user's text: what it costs grows with the
// definitions that it names, and a pod without them costs a look at its
// attachments.
func TestNetworkStatusCost(t *testing.T) {
	many := []nadv1.NetworkStatus{{Name: "cluster", Interface: "eth0", Default: true}}
	for i := range 1000 {
		many = append(many, nadv1.NetworkStatus{Name: "default/macvlan", Interface: fmt.Sprintf("net%d", i)})
	}
	for name, tc := range map[string]struct {
		entries []nadv1.NetworkStatus
		gets    int
	}{
		"None": {many[:1], 0},
		"Many": {many, 1},
	} {
		text, err := json.Marshal(tc.entries)
		if err != nil {
			t.Fatal(err)
		}
		c := &countedReads{pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", UID: "1", Annotations: map[string]string{nadv1.NetworkStatusAnnot: string(text)}}}}
		if _, err := (&NetworkStatusReconciler{Client: c}).Reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
		if c.gets != tc.gets || c.all > 1 {
			t.Errorf("%s: %d definitions read and %d lists for %d entries, want %d and one", name, c.gets, c.all, len(tc.entries), tc.gets)
		}
	}
}
