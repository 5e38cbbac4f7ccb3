package v1alpha1

import (
	"fmt"
	"slices"
)

// AttachBy is the setting of how pods get their interfaces before their containers
// start. What neither way attached in time is attached once the pod runs.
type AttachBy string

const (
	// AttachAuto has the container runtime tell the agent of pods, where it offers
	// NRI, for what Multus has not attached by then.
	AttachAuto AttachBy = "auto"
	// AttachNRI is AttachAuto in a cluster without Multus: a runtime that does not
	// tell is a problem of its node.
	AttachNRI AttachBy = "nri"
	// AttachMultus leaves it to Multus alone, which has to be there.
	AttachMultus AttachBy = "multus"
)

// Check says whether it is one of them.
func (a AttachBy) Check() error {
	if ways := []AttachBy{AttachAuto, AttachNRI, AttachMultus}; !slices.Contains(ways, a) {
		return fmt.Errorf("--attach-by=%s: want one of %v", string(a), ways)
	}
	return nil
}
