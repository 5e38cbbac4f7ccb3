// Package v1alpha1 is the l2sm.io/v1alpha1 API: link-layer networks
// (L2Network) and the pods' interfaces on them (L2Attachment), with every
// condition and event that a user may meet (conditions.go, events.go).
//
// +kubebuilder:object:generate=true
// +groupName=l2sm.io
package v1alpha1
