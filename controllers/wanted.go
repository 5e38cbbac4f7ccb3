package controllers

import (
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// What follows is for those who look whether the controllers have done their
// work: what they shall make of the API.

// Topology is what the northbound database shall hold of a network whose ports
// are those of the attachments, on an underlay of the given MTU.
func Topology(network *v1alpha1.L2Network, attachments []*v1alpha1.L2Attachment, underlayMTU int32) ovn.Network {
	return topology(network, attachments, nil, underlayMTU)
}

// LeaseNetwork is the network on which a complete attachment has its addresses.
func LeaseNetwork(attachment *v1alpha1.L2Attachment) types.NamespacedName {
	return standsOn(attachment)
}

// KeepsDefinition says whether the controller keeps the definition: an entry of
// network-status that names it is the controller's to write.
func KeepsDefinition(d *nadv1.NetworkAttachmentDefinition) bool {
	return isOurs(d)
}

// StatusEntry is the attachment's entry in its pod's annotation network-status,
// if its interface is wired.
func StatusEntry(attachment *v1alpha1.L2Attachment) (nadv1.NetworkStatus, bool) {
	return attachmentStatus(attachment)
}
