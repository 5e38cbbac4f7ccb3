package controllers

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// keepUserDefined keeps of a UserDefinedNetwork by what name it is there.
func keepUserDefined(o *metav1.PartialObjectMetadata) *metav1.PartialObjectMetadata {
	meta := metaOf(&o.ObjectMeta)
	return &metav1.PartialObjectMetadata{TypeMeta: o.TypeMeta, ObjectMeta: meta.expanded()}
}

// selectorPath is where a ClusterUserDefinedNetwork says which namespaces it is for.
var selectorPath = []string{"spec", "namespaceSelector"}

// keepClusterUserDefined keeps of a ClusterUserDefinedNetwork its name and selector.
func keepClusterUserDefined(o *unstructured.Unstructured) *unstructured.Unstructured {
	kept := &unstructured.Unstructured{Object: map[string]any{}}
	kept.SetGroupVersionKind(o.GroupVersionKind())
	kept.SetName(o.GetName())
	kept.SetUID(o.GetUID())
	kept.SetResourceVersion(o.GetResourceVersion())
	if selector, has, err := unstructured.NestedFieldNoCopy(o.Object, selectorPath...); has && err == nil {
		// What is set in so small an object is found: there is no error.
		_ = unstructured.SetNestedField(kept.Object, selector, selectorPath...)
	}
	return kept
}
