package controllers

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestNetworkChanges(t *testing.T) {
	failed := func(text string) metav1.Condition { return v1alpha1.NotProgrammed(v1alpha1.ReasonFailed, text) }
	for name, tc := range map[string]struct {
		change func(*v1alpha1.L2Network)
		want   bool
	}{
		"nothing":                  {func(*v1alpha1.L2Network) {}, false},
		"another spec":             {func(n *v1alpha1.L2Network) { n.Generation++ }, true},
		"another network":          {func(n *v1alpha1.L2Network) { n.UID = "other" }, true},
		"a count":                  {func(n *v1alpha1.L2Network) { n.Status.Attachments++ }, true},
		"a condition":              {func(n *v1alpha1.L2Network) { meta.SetStatusCondition(&n.Status.Conditions, v1alpha1.Programmed(1)) }, true},
		"the wording of a failure": {func(n *v1alpha1.L2Network) { meta.SetStatusCondition(&n.Status.Conditions, failed("row 2")) }, false},
		"a condition more": {func(n *v1alpha1.L2Network) {
			meta.SetStatusCondition(&n.Status.Conditions, v1alpha1.NetworkInvalid(errors.New("x")))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			was := &v1alpha1.L2Network{}
			meta.SetStatusCondition(&was.Status.Conditions, failed("row 1"))
			is := was.DeepCopy()
			tc.change(is)
			if got := networkChanges.Update(event.UpdateEvent{ObjectOld: was, ObjectNew: is}); got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
			if was.Status.Conditions[0].Message != "row 1" {
				t.Error("the cache's object was changed")
			}
		})
	}
}
