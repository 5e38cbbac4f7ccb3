package admission

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// Refusal is why an attachment does not have what it asks for, as the condition
// that its user reads. A retry does not help: what it waits for is an event.
type Refusal struct {
	metav1.Condition
	// Keeps says that a member keeps the port that it has: only a change of it is
	// refused.
	Keeps bool
	// Reserves says that an attachment keeps its addresses, and has no port.
	Reserves bool
	// Holder is the attachment that has the address or the MAC address that this
	// one asks for, as "namespace/name"; empty where that is not why.
	Holder string
	// overlaps says that a network is refused for the cluster's ranges, which
	// change without it.
	overlaps bool
	// waits is what others have that the attachment lacks, if that is why.
	waits token
}

func (r *Refusal) Error() string { return r.Message }

// Refuse makes an error of the condition.
func Refuse(c metav1.Condition) error { return &Refusal{Condition: c} }

// AsRefusal is the error's refusal, if it is one.
func AsRefusal(err error) (*Refusal, bool) {
	return errors.AsType[*Refusal](err)
}

// refuseFor is Refuse for what others have.
func refuseFor(t token, c metav1.Condition) error { return &Refusal{Condition: c, waits: t} }

// lacks is what others have that the attachment waits for, if that is why it is
// refused.
func (r *Refusal) lacks() (token, bool) { return r.waits, r.waits != (token{}) }

// refuseLease turns what a network's pool says into a refusal. Other errors
// stay as they are.
func refuseLease(err error) error {
	if taken, is := errors.AsType[*ipam.AddressTakenError](err); is {
		return &Refusal{Condition: v1alpha1.AttachmentRefused(v1alpha1.ReasonAddressTaken, err.Error()), Holder: taken.Owner, waits: addressToken(taken.Addr)}
	}
	if taken, is := errors.AsType[*ipam.MACTakenError](err); is {
		return &Refusal{Condition: v1alpha1.AttachmentRefused(v1alpha1.ReasonMACTaken, err.Error()), Holder: taken.Owner, waits: macToken(taken.MAC)}
	}
	if elsewhere, is := errors.AsType[*ipam.ElsewhereError](err); is {
		lacks := macToken(elsewhere.MAC)
		if elsewhere.Addr.IsValid() {
			lacks = addressToken(elsewhere.Addr)
		}
		return refuseFor(lacks, v1alpha1.AddressElsewhere(err))
	}
	if full, is := errors.AsType[*ipam.ExhaustedError](err); is {
		return refuseFor(subnetToken(full.Subnet), v1alpha1.AttachmentRefused(v1alpha1.ReasonExhausted, err.Error()+"; the pod is attached when one is free"))
	}
	if _, is := errors.AsType[*ipam.OutOfRangeError](err); is {
		return Refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonOutOfRange, err.Error()))
	}
	if _, is := errors.AsType[*ipam.RequestError](err); is {
		return Refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
	}
	return err
}
