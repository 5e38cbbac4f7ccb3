package manage

import (
	"net/http"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// mapper knows the kinds that l2sm works with, and asks the API server about
// others. A manager asks about each kind when it is made, and cannot be made
// without an answer.
type mapper struct {
	meta.RESTMapper
	known meta.RESTMapper
}

// NewMapper makes the mapper of a manager.
func NewMapper(config *rest.Config, client *http.Client) (meta.RESTMapper, error) {
	asking, err := apiutil.NewDynamicRESTMapper(config, client)
	if err != nil {
		return nil, err
	}
	known := meta.NewDefaultRESTMapper(nil)
	for scope, kinds := range map[meta.RESTScope][]schema.GroupVersionKind{
		meta.RESTScopeRoot: {
			corev1.SchemeGroupVersion.WithKind("Namespace"),
			corev1.SchemeGroupVersion.WithKind("Node"),
			v1alpha1.GroupVersion.WithKind("L2Node"),
			v1alpha1.GroupVersion.WithKind("L2Edge"),
			v1alpha1.GroupVersion.WithKind("L2Peer"),
			certificatesv1.SchemeGroupVersion.WithKind("CertificateSigningRequest"),
		},
		meta.RESTScopeNamespace: {
			corev1.SchemeGroupVersion.WithKind("Pod"),
			corev1.SchemeGroupVersion.WithKind("Secret"),
			corev1.SchemeGroupVersion.WithKind("ConfigMap"),
			v1alpha1.GroupVersion.WithKind("L2Network"),
			v1alpha1.GroupVersion.WithKind("L2Attachment"),
			v1alpha1.GroupVersion.WithKind("L2Remote"),
			coordinationv1.SchemeGroupVersion.WithKind("Lease"),
		},
	} {
		for _, kind := range kinds {
			known.Add(kind, scope)
		}
	}
	return mapper{RESTMapper: asking, known: known}, nil
}

// RESTMapping says what an object's resource is called, and its scope.
func (m mapper) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if mapping, err := m.known.RESTMapping(kind, versions...); err == nil {
		return mapping, nil
	}
	return m.RESTMapper.RESTMapping(kind, versions...)
}
