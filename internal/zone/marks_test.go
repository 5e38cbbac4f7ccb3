package zone

import (
	"testing"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// OVN-Kubernetes' syncNodes deletes a switch without the one key, and its cleanup of
// secondary networks takes one with both for its own.
func TestMarks(t *testing.T) {
	marks := marksOf(v1alpha1.FabricOVNKubernetes)
	if marks["k8s.ovn.org/network"] == "" || len(marks) != 1 {
		t.Errorf("in OVN-Kubernetes' databases switches carry %v", marks)
	}
	if marks := marksOf(v1alpha1.FabricZones); len(marks) > 0 {
		t.Errorf("in our own databases switches carry %v", marks)
	}
}
