package controllers

import (
	"context"
	"errors"
	"net/http"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

var errNoMultus = errors.New("the cluster has no NetworkAttachmentDefinition: install Multus first, l2sm goes on by itself then")

// hasMultus says whether the API serves Multus' kind. A RESTMapper asks the API
// only as long as it does not.
func hasMultus(mapper meta.RESTMapper) error {
	kind := nadv1.SchemeGroupVersion.WithKind("NetworkAttachmentDefinition")
	_, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		return errNoMultus
	}
	return err
}

// MultusReady is a readiness check: without Multus nobody calls our plugin.
func MultusReady(mapper meta.RESTMapper) func(*http.Request) error {
	return func(*http.Request) error { return hasMultus(mapper) }
}

// awaitMultus starts what watches NetworkAttachmentDefinitions when there are
// any: a watch of a kind that the API does not serve ends the manager. It looks
// again every few seconds, and only until then. It is a manager.Runnable.
type awaitMultus struct {
	mapper meta.RESTMapper
	start  func() error
}

const multusRetry = 3 * time.Second

// Start waits and returns when all is started.
func (m *awaitMultus) Start(ctx context.Context) error {
	told := false
	for {
		err := hasMultus(m.mapper)
		if err == nil {
			return m.start()
		}
		if !told {
			log.FromContext(ctx).Error(err, "Waiting for Multus")
			told = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(multusRetry):
		}
	}
}
