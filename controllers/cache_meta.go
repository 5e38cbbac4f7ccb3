package controllers

import (
	"slices"
	"time"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// The types that the cache keeps, and its transforms, drop what the controllers
// read nowhere. They write by patches of what they change, so that nothing
// dropped is lost to the API; lists, which a patch replaces whole, are kept
// whole.
//
// The rest takes less memory than as it was decoded, when each string is made
// again, slices have room for four and maps for eight. Objects in a cache are
// not changed, so parts that are equal can be one.

// keptMeta is what is kept of each object's metadata.
type keptMeta struct {
	namespace             unique.Handle[string]
	name, resourceVersion string
	uid                   types.UID
	deletionTimestamp     *metav1.Time
}

func metaOf(m *metav1.ObjectMeta) keptMeta {
	return keptMeta{unique.Make(m.Namespace), m.Name, m.ResourceVersion, m.UID, m.DeletionTimestamp}
}

func (k *keptMeta) expanded() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: k.namespace.Value(), Name: k.name, UID: k.uid, ResourceVersion: k.resourceVersion,
		DeletionTimestamp: k.deletionTimestamp,
	}
}

// GetObjectMeta implements compact.Object.
func (k *keptMeta) GetObjectMeta() metav1.Object {
	meta := k.expanded()
	return &meta
}

// keptOwn is what is kept of the metadata of our own kinds.
type keptOwn struct {
	keptMeta
	generation int64
	created    int64 // in seconds, as the API has it
	finalizers []string
}

func ownOf(m *metav1.ObjectMeta) keptOwn {
	return keptOwn{metaOf(m), m.Generation, m.CreationTimestamp.Unix(), finalizersOf(m)}
}

func (k *keptOwn) expanded() metav1.ObjectMeta {
	m := k.keptMeta.expanded()
	m.Generation, m.CreationTimestamp, m.Finalizers = k.generation, metav1.Time{Time: time.Unix(k.created, 0)}, k.finalizers
	return m
}

// annotation is one of a few.
type annotation struct{ key, value string }

// annotationsOf are those of the keys, nil where there are none.
func annotationsOf(m *metav1.ObjectMeta, keys ...string) []annotation {
	var kept []annotation
	for _, key := range keys {
		if value, has := m.Annotations[key]; has {
			kept = append(kept, annotation{key, value})
		}
	}
	return kept
}

func mapOf(annotations []annotation) map[string]string {
	if len(annotations) == 0 {
		return nil
	}
	m := make(map[string]string, len(annotations))
	for _, a := range annotations {
		m[a.key] = a.value
	}
	return m
}

// managed are the labels of what we make.
var managed = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}

// labelsOf are our own.
func labelsOf(m *metav1.ObjectMeta) map[string]string {
	value, has := m.Labels[v1alpha1.ManagedByLabel]
	switch {
	case !has:
		return nil
	case value == v1alpha1.ManagedBy:
		return managed
	default:
		return map[string]string{v1alpha1.ManagedByLabel: value}
	}
}

func finalizersOf(m *metav1.ObjectMeta) []string {
	kept := slices.Clone(m.Finalizers)
	for i := range kept {
		kept[i] = one(kept[i])
	}
	return kept
}

// ownersOf have the memory of the owner's name and UID where they are equal.
func ownersOf(m *metav1.ObjectMeta, name string, uid types.UID) []metav1.OwnerReference {
	kept := slices.Clone(m.OwnerReferences)
	for i := range kept {
		o := &kept[i]
		o.APIVersion, o.Kind = one(o.APIVersion), one(o.Kind)
		o.Name, o.UID = sameAs(name, o.Name), sameAs(uid, o.UID)
		o.Controller, o.BlockOwnerDeletion = oneBool(o.Controller), oneBool(o.BlockOwnerDeletion)
	}
	return kept
}

// sameAs is s, in the memory of one that is likely equal.
func sameAs[T ~string](likely, s T) T {
	if likely == s {
		return likely
	}
	return s
}

var yes, no = true, false

func oneBool(b *bool) *bool {
	switch {
	case b == nil:
		return nil
	case *b:
		return &yes
	default:
		return &no
	}
}
