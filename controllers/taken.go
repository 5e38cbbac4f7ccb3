package controllers

import (
	"fmt"
	"regexp"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// takenHint says what a pod can do whose address, or MAC address, another
// attachment has. A Deployment's default rolling update never ends with a static
// address: it starts the new pod before it stops the old one.
func takenHint(holder *v1alpha1.L2Attachment, pod string) string {
	other := holder.Spec.PodName
	switch {
	case other == pod && holder.Spec.PodUID == "":
		return fmt.Sprintf("L2Attachment %q reserves it for this pod's name: delete that, or leave the address out of the annotation", holder.Name)
	case other == pod:
		return fmt.Sprintf("another interface of this pod has it: L2Attachment %q", holder.Name)
	case holder.Spec.PodUID == "":
		return fmt.Sprintf("L2Attachment %q reserves it for pod %q: it is free when that is deleted", holder.Name, other)
	case sameReplicaSet(other, pod):
		return fmt.Sprintf("pod %q is made of the same template and has it: of several replicas only one can have a static address", other)
	case sameDeployment(other, pod):
		return fmt.Sprintf("the old pod %q of the same Deployment has it, and a rolling update starts the new pod first: "+
			"set spec.strategy.rollingUpdate.maxSurge: 0, or spec.strategy.type: Recreate", other)
	default:
		return fmt.Sprintf("it is free when pod %q has ended", other)
	}
}

// Kubernetes makes the names of generated pods of these letters
// (k8s.io/apimachinery/pkg/util/rand): a Deployment's are
// <deployment>-<hash of the template>-<five letters>.
var (
	replica    = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	deployment = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{1,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
)

func sameReplicaSet(a, b string) bool { return sameStem(replica, a, b) }

func sameDeployment(a, b string) bool { return sameStem(deployment, a, b) }

func sameStem(form *regexp.Regexp, a, b string) bool {
	of, is := form.FindStringSubmatch(a), form.FindStringSubmatch(b)
	return of != nil && is != nil && of[1] == is[1]
}
