package controllers

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
)

// shelf is what the API, or a cache of it, has. It counts what it is asked for.
type shelf struct {
	client.Reader
	pods       []corev1.Pod
	networks   []v1alpha1.L2Network
	namespaces map[string]metav1.ObjectMeta
	reads      int
	broken     error
}

func (s *shelf) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	s.reads++
	if s.broken != nil {
		return s.broken
	}
	switch o := o.(type) {
	case *corev1.Pod:
		for i := range s.pods {
			if client.ObjectKeyFromObject(&s.pods[i]) == key {
				s.pods[i].DeepCopyInto(o)
				return nil
			}
		}
	case *v1alpha1.L2Network:
		for i := range s.networks {
			if client.ObjectKeyFromObject(&s.networks[i]) == key {
				s.networks[i].DeepCopyInto(o)
				return nil
			}
		}
	case *metav1.PartialObjectMetadata:
		if namespace, has := s.namespaces[key.Name]; has {
			o.ObjectMeta = namespace
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

var errBroken = errors.New("broken")

// A cache may still show a pod that is gone, after it has heard that the
// pod's attachments went with it.
func TestAlive(t *testing.T) {
	now := metav1.Now()
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "one"}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	fresh, other, going := pod, pod, pod
	fresh.Status.Phase = corev1.PodPending
	other.UID = "two"
	going.DeletionTimestamp = &now
	cases := map[string]struct {
		reason string
		cached corev1.Pod
		served bool
		live   []corev1.Pod
		want   bool
		reads  int
	}{
		"Runs":     {"a running pod may lack an attachment: its annotation was edited", pod, false, []corev1.Pod{pod}, true, 1},
		"Gone":     {"a running pod's attachments were made once: that they are missing may be its end", pod, false, nil, false, 1},
		"Replaced": {"another pod of its name is not it", pod, false, []corev1.Pod{other}, false, 1},
		"Going":    {"nor is it for long", pod, false, []corev1.Pod{going}, false, 1},
		"Fresh":    {"a pod that is about to start need not be asked for: that would cost a request each", fresh, false, nil, true, 0},
		"Served":   {"but for one that had its attachments: they may have gone with it", fresh, true, nil, false, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			live := &shelf{pods: tc.live}
			r := &reads{live: live}
			got, err := r.alive(t.Context(), &tc.cached, tc.served)
			if err != nil || got != tc.want || live.reads != tc.reads {
				t.Errorf("%s: got %v, %v with %d reads", tc.reason, got, err, live.reads)
			}
		})
	}
	r := &reads{live: &shelf{broken: errBroken}}
	if _, err := r.alive(t.Context(), &pod, false); !errors.Is(err, errBroken) {
		t.Errorf("an API that does not answer has not said that the pod is gone: %v", err)
	}
}

// The API itself is asked before a binding is found to be false, and once.
func TestPodOfAttachment(t *testing.T) {
	pod := func(uid types.UID, node string) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "x", UID: uid}, Spec: corev1.PodSpec{NodeName: node}}
	}
	forged := func(generation int64) []metav1.Condition {
		c := v1alpha1.BindingMismatch(portOf("x"))
		c.ObservedGeneration = generation
		return []metav1.Condition{c}
	}
	cases := map[string]struct {
		reason       string
		change       func(*v1alpha1.L2Attachment)
		cached, live []corev1.Pod
		want         types.UID // of the pod
		reads        int       // of the API itself
	}{
		"Cached":      {"the cache has it", func(*v1alpha1.L2Attachment) {}, []corev1.Pod{pod("uid", "node-a")}, nil, "uid", 0},
		"Unbound":     {"one that claims no life of a pod is not asked for", func(a *v1alpha1.L2Attachment) { a.Spec.PodUID, a.Spec.NodeName = "", "" }, nil, []corev1.Pod{pod("uid", "node-a")}, "", 0},
		"Late":        {"the cache lags", func(*v1alpha1.L2Attachment) {}, nil, []corev1.Pod{pod("uid", "node-a")}, "uid", 1},
		"LateLife":    {"it may show an earlier life", func(*v1alpha1.L2Attachment) {}, []corev1.Pod{pod("old", "node-a")}, []corev1.Pod{pod("uid", "node-a")}, "uid", 1},
		"LateNode":    {"or the pod before it had its node", func(*v1alpha1.L2Attachment) {}, []corev1.Pod{pod("uid", "")}, []corev1.Pod{pod("uid", "node-a")}, "uid", 1},
		"False":       {"the binding is false", func(*v1alpha1.L2Attachment) {}, nil, nil, "", 1},
		"FalseAgain":  {"what is known to be false costs no request", func(a *v1alpha1.L2Attachment) { a.Status.Conditions = forged(a.Generation) }, nil, []corev1.Pod{pod("uid", "node-a")}, "", 0},
		"FalseBefore": {"unless it has changed since", func(a *v1alpha1.L2Attachment) { a.Status.Conditions = forged(a.Generation - 1) }, nil, []corev1.Pod{pod("uid", "node-a")}, "uid", 1},
		"TrueNow":     {"nor is it false once the cache shows its pod", func(a *v1alpha1.L2Attachment) { a.Status.Conditions = forged(a.Generation) }, []corev1.Pod{pod("uid", "node-a")}, nil, "uid", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := portOf("x")
			a.Generation = 7
			tc.change(a)
			live := &shelf{pods: tc.live}
			r := &reads{cached: &shelf{pods: tc.cached}, live: live}
			found, err := r.pod(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			uid := types.UID("")
			if found != nil {
				uid = found.UID
			}
			if uid != tc.want || live.reads != tc.reads {
				t.Errorf("%s: got pod %q with %d requests, want %q with %d", tc.reason, uid, live.reads, tc.want, tc.reads)
			}
		})
	}
}

func TestSurroundings(t *testing.T) {
	now := metav1.Now()
	selecting := v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector}
	red := labels.Set{"team": "red"}
	cases := map[string]struct {
		reason     string
		change     func(*v1alpha1.L2Network)
		namespaces map[string]metav1.ObjectMeta
		namespace  string
		want       admission.Surroundings
		fails      bool
	}{
		"Own":           {"the network's own namespace is let in without its labels", func(n *v1alpha1.L2Network) { n.Spec.AllowedNamespaces = selecting }, nil, "lab", admission.Surroundings{}, false},
		"Unselected":    {"nor do they matter where none are selected by", func(*v1alpha1.L2Network) {}, nil, "guests", admission.Surroundings{}, false},
		"Selected":      {"a guest's labels", func(n *v1alpha1.L2Network) { n.Spec.AllowedNamespaces = selecting }, map[string]metav1.ObjectMeta{"guests": {Labels: red}}, "guests", admission.Surroundings{Labels: red}, false},
		"SelectedStill": {"the spec in force selects, though the newest does not", func(n *v1alpha1.L2Network) { n.Status.InForce = &v1alpha1.L2NetworkSpec{AllowedNamespaces: selecting} }, map[string]metav1.ObjectMeta{"guests": {Labels: red}}, "guests", admission.Surroundings{Labels: red}, false},
		"Unknown":       {"a cache that does not have the namespace says nothing of it", func(n *v1alpha1.L2Network) { n.Spec.AllowedNamespaces = selecting }, nil, "guests", admission.Surroundings{}, true},
		"Deleted":       {"a network that is deleted alone waits", func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &now }, map[string]metav1.ObjectMeta{"lab": {}}, "lab", admission.Surroundings{}, false},
		"Goes":          {"one that goes with its namespace does not", func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &now }, map[string]metav1.ObjectMeta{"lab": {DeletionTimestamp: &now}}, "lab", admission.Surroundings{NetworkGoes: true}, false},
		"Went":          {"nor one whose namespace is gone", func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &now }, nil, "lab", admission.Surroundings{NetworkGoes: true}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := networkOf("a")
			tc.change(network)
			r := &reads{cached: &shelf{namespaces: tc.namespaces}}
			got, err := r.surroundings(t.Context(), network, tc.namespace)
			if (err != nil) != tc.fails {
				t.Errorf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestIsRejected(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    error
		want   bool
	}{
		"Conflict": {"a 4xx was not carried out", apierrors.NewConflict(schema.GroupResource{}, "a", errors.New("changed")), true},
		"Timeout":  {"a time-out may have been", apierrors.NewTimeoutError("slow", 1), false},
		"Internal": {"so may a 500", apierrors.NewInternalError(errors.New("etcd")), false},
		"Network":  {"and a lost connection", errors.New("connection reset"), false},
		"None":     {"success is no rejection", nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := isRejected(tc.err); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}
