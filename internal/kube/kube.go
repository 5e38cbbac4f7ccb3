// Package kube is the API server as a node's agent needs it: the pods and
// L2Attachments of the agent's own node, cached, and a few reads and writes past
// the caches.
//
// It is client-go's informers and REST clients alone. controller-runtime, and
// client-go's clientset, bring every kind that Kubernetes has: 30 MB of program,
// much of it in the memory of each node.
package kube

import (
	"fmt"
	"net/http"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Client reaches the API server. Its methods may be called from any goroutine.
type Client struct {
	*Reviews
	core, l2sm, events, certificates, coordination rest.Interface
}

// Find is how a program reaches the API server: as kubectl does, and in a pod by its service
// account.
func Find(userAgent string) (*rest.Config, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	config.UserAgent = userAgent
	return config, nil
}

// New returns a client. It connects with the first request.
func New(config *rest.Config) (*Client, error) {
	shared, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make HTTP client of the API server: %w", err)
	}
	codecs, err := newCodecs()
	if err != nil {
		return nil, err
	}
	own := rest.CopyConfig(config)
	own.NegotiatedSerializer = codecs.WithoutConversion()
	own.QPS = -1 // the API server's own fairness is enough
	builtin := rest.CopyConfig(own)
	builtin.ContentType = runtime.ContentTypeProtobuf
	builtin.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON

	c := &Client{}
	if c.Reviews, err = NewReviews(config, shared); err != nil {
		return nil, err
	}
	for _, group := range []struct {
		into    *rest.Interface
		config  *rest.Config
		version schema.GroupVersion
	}{
		{&c.core, builtin, corev1.SchemeGroupVersion},
		{&c.events, builtin, eventsv1.SchemeGroupVersion},
		{&c.certificates, builtin, certificatesv1.SchemeGroupVersion},
		{&c.coordination, builtin, coordinationv1.SchemeGroupVersion},
		{&c.l2sm, own, v1alpha1.GroupVersion},
	} {
		if *group.into, err = newREST(group.config, shared, group.version); err != nil {
			return nil, fmt.Errorf("make client of %s: %w", group.version, err)
		}
	}
	return c, nil
}

func newREST(base *rest.Config, shared *http.Client, version schema.GroupVersion) (rest.Interface, error) {
	config := rest.CopyConfig(base)
	config.GroupVersion, config.APIPath = &version, "/apis"
	if version.Group == "" {
		config.APIPath = "/api"
	}
	return rest.RESTClientForConfigAndClient(config, shared)
}

// newCodecs know the kinds that the agent meets, and no other.
func newCodecs() (serializer.CodecFactory, error) {
	scheme := runtime.NewScheme()
	for version, kinds := range map[schema.GroupVersion][]runtime.Object{
		corev1.SchemeGroupVersion:         {&corev1.Pod{}, &corev1.PodList{}, &corev1.Node{}, &corev1.ConfigMap{}, &corev1.ConfigMapList{}, &corev1.Secret{}, &corev1.SecretList{}},
		eventsv1.SchemeGroupVersion:       {&eventsv1.Event{}},
		coordinationv1.SchemeGroupVersion: {&coordinationv1.Lease{}, &coordinationv1.LeaseList{}},
		certificatesv1.SchemeGroupVersion: {&certificatesv1.CertificateSigningRequest{}, &certificatesv1.CertificateSigningRequestList{}},
	} {
		scheme.AddKnownTypes(version, kinds...)
		metav1.AddToGroupVersion(scheme, version)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return serializer.CodecFactory{}, fmt.Errorf("register API kinds: %w", err)
	}
	return serializer.NewCodecFactory(scheme), nil
}
