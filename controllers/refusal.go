package controllers

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// refusal is why an attachment has no port, as the condition that its user
// reads. A retry does not help; an event that changes the answer will come.
type refusal struct{ metav1.Condition }

func (r *refusal) Error() string { return r.Message }

func refuse(c metav1.Condition) error { return &refusal{c} }

// asRefusal is the error's refusal, if it is one.
func asRefusal(err error) (*refusal, bool) {
	var r *refusal
	return r, errors.As(err, &r)
}

// refuseLease turns what a network's pool says into a refusal. Other errors
// stay as they are.
func refuseLease(err error) error {
	var (
		taken     *ipam.AddressTakenError
		macTaken  *ipam.MACTakenError
		outside   *ipam.OutOfRangeError
		exhausted *ipam.ExhaustedError
		request   *ipam.RequestError
	)
	switch {
	case errors.As(err, &taken):
		return refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonAddressTaken, err.Error()))
	case errors.As(err, &macTaken):
		return refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonMACTaken, err.Error()))
	case errors.As(err, &outside):
		return refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonOutOfRange, err.Error()))
	case errors.As(err, &exhausted):
		return refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonExhausted, err.Error()+"; the pod is attached when one is free"))
	case errors.As(err, &request):
		return refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
	}
	return err
}
