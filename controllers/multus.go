package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

var errNoMultus = errors.New("the cluster has no NetworkAttachmentDefinition: install Multus first, l2sm goes on by itself then, or have container runtimes offer NRI, with ATTACH_BY=nri")

// hasMultus says whether the API serves Multus' kind. A RESTMapper asks the API
// only as long as it does not.
func hasMultus(mapper meta.RESTMapper) error {
	err := hasKind(mapper, multusKind)
	if meta.IsNoMatchError(err) {
		return errNoMultus
	}
	return err
}

func hasKind(mapper meta.RESTMapper, kind schema.GroupVersionKind) error {
	_, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	return err
}

var multusKind = nadv1.SchemeGroupVersion.WithKind("NetworkAttachmentDefinition")

// MultusReady is a readiness check where Multus is the one way to attach pods before
// they start: without it nothing calls our plugin.
func MultusReady(mapper meta.RESTMapper) func(*http.Request) error {
	return func(*http.Request) error { return hasMultus(mapper) }
}

// multusCRD is the CustomResourceDefinition of Multus' kind.
const multusCRD = "network-attachment-definitions.k8s.cni.cncf.io"

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=network-attachment-definitions.k8s.cni.cncf.io,verbs=get;list;watch

// watchCRD lists and watches one CustomResourceDefinition, such as that one: the
// controller may read no more of them.
func watchCRD(config *rest.Config, name string) (*cache.ListWatch, error) {
	c, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a metadata client: %w", err)
	}
	crds := c.Resource(apiextensions.WithResource("customresourcedefinitions"))
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			return crds.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			return crds.Watch(ctx, o)
		},
	}, nil
}

var apiextensions = schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}

// awaitKind starts what watches a kind that another program brings, when it is there: a
// watch of a kind that the API does not serve ends the manager. It is a
// manager.Runnable.
type awaitKind struct {
	mapper meta.RESTMapper
	kind   schema.GroupVersionKind
	crd    cache.ListerWatcher
	// absent is called first where the API does not serve the kind yet.
	absent func(ctx context.Context)
	start  func(ctx context.Context) error
}

// Start waits and returns when all is started.
func (a *awaitKind) Start(ctx context.Context) error {
	if err := hasKind(a.mapper, a.kind); err != nil {
		a.absent(ctx)
		if err := a.await(ctx); err != nil {
			return nil //nolint:nilerr // the controller ends before the kind has come
		}
	}
	return a.start(ctx)
}

// await returns when the API serves the kind, or ends. The API serves a kind
// some time after its definition was created, and no event says when: then, and
// only then, it is asked again and again, ever more seldom.
func (a *awaitKind) await(ctx context.Context) error {
	comes := func(e watch.Event) (bool, error) { return e.Type == watch.Added || e.Type == watch.Modified, nil }
	if _, err := watchtools.UntilWithSync(ctx, a.crd, &metav1.PartialObjectMetadata{}, nil, comes); err != nil {
		return err
	}
	seldom := wait.Backoff{Duration: settleTime, Factor: 2, Steps: 10, Cap: maxBackoff}
	return seldom.DelayFunc().Until(ctx, true, true, func(context.Context) (bool, error) {
		return hasKind(a.mapper, a.kind) == nil, nil
	})
}
