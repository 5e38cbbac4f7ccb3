package controllers

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestWaiting(t *testing.T) {
	var w waiting
	steps := []struct {
		reason, name, node string
		// want are those that wait for node-a.
		want []string
	}{
		{"one waits", "x", "node-a", []string{"x"}},
		{"it is looked at again", "x", "node-a", []string{"x"}},
		{"another one does", "y", "node-a", []string{"x", "y"}},
		{"one was wired that never waited", "z", "", []string{"x", "y"}},
		{"its pod is on another node now", "x", "node-b", []string{"y"}},
		{"it was wired", "y", "", nil},
		{"the other one was, too", "x", "", nil},
	}
	for _, step := range steps {
		w.set(key("lab", step.name), step.node)
		var got []string
		node := &v1alpha1.L2Node{}
		node.Name = "node-a"
		for _, r := range w.requests(t.Context(), node) {
			got = append(got, r.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: those that wait for node-a (-want +got):\n%s", step.reason, diff)
		}
	}
	if len(w.on)+len(w.at) > 0 {
		t.Errorf("%v and %v are kept of what waits no more", w.on, w.at)
	}
}
