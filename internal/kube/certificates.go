package kube

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// CreateSigningRequest creates a request for a certificate. One of the name that
// is there already is left as it is.
func (c *Client) CreateSigningRequest(ctx context.Context, r *certificatesv1.CertificateSigningRequest) error {
	err := c.certificates.Post().Resource("certificatesigningrequests").Body(r).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create CertificateSigningRequest %q: %w", r.Name, err)
	}
	return nil
}

// AwaitSigningRequest shows f the request of the name as it is, and each time
// that it changes, until f says that it has seen enough. gone says that it was
// deleted meanwhile, or is not there.
func (c *Client) AwaitSigningRequest(ctx context.Context, name string, f func(*certificatesv1.CertificateSigningRequest) (enough bool)) (gone bool, err error) {
	list := cache.NewListWatchFromClient(c.certificates, "certificatesigningrequests", "", named(name))
	missing := func(store cache.Store) (bool, error) {
		if _, listed, err := store.GetByKey(name); listed || err != nil {
			return false, err
		}
		// The list may be older than the request.
		err := c.certificates.Get().Resource("certificatesigningrequests").Name(name).Do(ctx).Error()
		gone = apierrors.IsNotFound(err)
		if gone {
			return true, nil
		}
		return false, err
	}
	_, err = watchtools.UntilWithSync(ctx, list, &certificatesv1.CertificateSigningRequest{}, missing, func(event watch.Event) (bool, error) {
		gone = event.Type == watch.Deleted
		r, is := event.Object.(*certificatesv1.CertificateSigningRequest)
		return gone || is && f(r), nil
	})
	if err != nil {
		return false, fmt.Errorf("await CertificateSigningRequest %q: %w", name, err)
	}
	return gone, nil
}

// FollowConfigMap calls f with the data of a ConfigMap, and again when it
// changes, until ctx ends. f must return quickly.
func (c *Client) FollowConfigMap(ctx context.Context, key types.NamespacedName, f func(data map[string]string)) error {
	list := cache.NewListWatchFromClient(c.core, "configmaps", key.Namespace, named(key.Name))
	informer := cache.NewSharedIndexInformer(list, &corev1.ConfigMap{}, 0, cache.Indexers{})
	err := follow(informer, func(_, after *corev1.ConfigMap) {
		if after != nil {
			f(after.Data)
		}
	})
	if err != nil {
		return err
	}
	informer.RunWithContext(ctx)
	return nil
}

func named(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
