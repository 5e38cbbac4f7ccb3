package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	// GroupVersion is the API's group and version.
	GroupVersion = schema.GroupVersion{Group: "l2sm.io", Version: "v1alpha1"}

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the API's kinds.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&L2Network{}, &L2NetworkList{},
		&L2Attachment{}, &L2AttachmentList{},
		&L2Node{}, &L2NodeList{},
		&L2Edge{}, &L2EdgeList{},
		&L2Peer{}, &L2PeerList{},
		&L2Remote{}, &L2RemoteList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
