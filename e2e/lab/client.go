package lab

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Find opens the lab of that name in the default cache.
func Find(name string) (*Lab, error) {
	cache, err := DefaultCache()
	if err != nil {
		return nil, err
	}
	l, err := Open(cache, name)
	if err != nil {
		return nil, fmt.Errorf("bring the local cluster up first (make demo): %w", err)
	}
	return l, nil
}

// Client is an administrator's client of Kubernetes' kinds and of l2sm's. It
// never holds itself back.
func (l *Lab) Client() (client.WithWatch, error) {
	config, err := l.RESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register API kinds: %w", err)
		}
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}
