package controllers

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
)

// explain adds to a refusal what can be done about it, where another attachment
// has what this one asks for.
func (r *L2AttachmentReconciler) explain(ctx context.Context, a *v1alpha1.L2Attachment, refused *admission.Refusal) (*admission.Refusal, error) {
	namespace, name, is := strings.Cut(refused.Holder, "/")
	if !is {
		return refused, nil
	}
	holder := &v1alpha1.L2Attachment{}
	err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, holder)
	if apierrors.IsNotFound(err) {
		return refused, nil // it is about to be written, or gone
	}
	if err != nil {
		return nil, fmt.Errorf("get attachment %q: %w", refused.Holder, err)
	}
	explained := *refused
	explained.Message += "; " + takenHint(holder, a.Spec.PodName)
	if crosses(a, holder) {
		explained.Message += fmt.Sprintf("; %q waits in turn for what this one has: delete one of the two, and create it again when the other has moved", holder.Name)
	}
	return &explained, nil
}

// crosses says whether each of two attachments asks for the network that the
// other's port is on.
func crosses(a, holder *v1alpha1.L2Attachment) bool {
	on, has := a.PortNetwork()
	theirs, have := holder.PortNetwork()
	return has && have && on != theirs && a.NetworkKey() == theirs && holder.NetworkKey() == on
}

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
