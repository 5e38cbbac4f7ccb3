package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Node caches the pods and L2Attachments of one node. What it returns is shared:
// it must not be changed.
type Node struct {
	pods, attachments cache.SharedIndexInformer
	// self holds the node's own L2Node.
	self cache.SharedIndexInformer
	name string
}

// podIndex finds L2Attachments by the namespace and name of their pod.
const podIndex = "pod"

// Node makes the caches of a node. They fill once Run runs.
func (c *Client) Node(name string) (*Node, error) {
	pods, err := selected(c.core, "pods", "", &corev1.Pod{}, onNode(name), stripPod, cache.Indexers{})
	if err != nil {
		return nil, err
	}
	attachments, err := selected(c.l2sm, "l2attachments", "", &v1alpha1.L2Attachment{}, onNode(name), stripAttachment, cache.Indexers{podIndex: podOf})
	if err != nil {
		return nil, err
	}
	self, err := selected(c.l2sm, "l2nodes", "", &v1alpha1.L2Node{}, named(name), stripL2Node, cache.Indexers{})
	if err != nil {
		return nil, err
	}
	return &Node{pods: pods, attachments: attachments, self: self, name: name}, nil
}

func onNode(name string) fields.Selector { return fields.OneTermEqualSelector("spec.nodeName", name) }

// selected makes an informer of the selected objects of a namespace, or of all.
func selected(from rest.Interface, resource, namespace string, kind runtime.Object, of fields.Selector, strip cache.TransformFunc, by cache.Indexers) (cache.SharedIndexInformer, error) {
	list := cache.NewListWatchFromClient(from, resource, namespace, of)
	informer := cache.NewSharedIndexInformer(list, kind, 0, by)
	if err := informer.SetTransform(strip); err != nil {
		return nil, fmt.Errorf("strip %s: %w", resource, err)
	}
	return informer, nil
}

func podOf(object any) ([]string, error) {
	a, ok := object.(*v1alpha1.L2Attachment)
	if !ok {
		return nil, nil
	}
	return []string{types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.PodName}.String()}, nil
}

// OnPod has f called with each pod that comes, changes (before is what it was)
// or goes (after is nil). f must return quickly.
func (n *Node) OnPod(f func(before, after *corev1.Pod)) error { return follow(n.pods, f) }

// OnAttachment is OnPod for L2Attachments.
func (n *Node) OnAttachment(f func(before, after *v1alpha1.L2Attachment)) error {
	return follow(n.attachments, f)
}

func follow[T any](informer cache.SharedIndexInformer, f func(before, after *T)) error {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { f(nil, as[T](o)) },
		UpdateFunc: func(before, after any) { f(as[T](before), as[T](after)) },
		DeleteFunc: func(o any) { f(as[T](o), nil) },
	})
	if err != nil {
		return fmt.Errorf("watch %T: %w", new(T), err)
	}
	return nil
}

// as is what the informer holds, also of what went while it was disconnected.
func as[T any](object any) *T {
	if gone, is := object.(cache.DeletedFinalStateUnknown); is {
		object = gone.Obj
	}
	t, _ := object.(*T)
	return t
}

// Run keeps the caches until ctx ends. It calls filled once they hold all there
// is.
func (n *Node) Run(ctx context.Context, filled func()) { keep(ctx, filled, n.pods, n.attachments) }

// Filled returns when the caches of pods and L2Attachments hold all there is, and
// says whether they do: not where ctx ended before.
func (n *Node) Filled(ctx context.Context) bool {
	return cache.WaitFor(ctx, "", n.pods.HasSyncedChecker(), n.attachments.HasSyncedChecker())
}

// keep runs informers until ctx ends, and returns when they have ended.
func keep(ctx context.Context, filled func(), informers ...cache.SharedIndexInformer) {
	var all sync.WaitGroup
	var synced []cache.DoneChecker
	for _, informer := range informers {
		all.Go(func() { informer.RunWithContext(ctx) })
		synced = append(synced, informer.HasSyncedChecker())
	}
	if cache.WaitFor(ctx, "", synced...) {
		filled()
	}
	all.Wait()
}

// RunSelf keeps the node's L2Node until ctx ends, apart from the rest, which works
// without. It calls filled once it is known whether there is one.
func (n *Node) RunSelf(ctx context.Context, filled func()) {
	go n.self.RunWithContext(ctx)
	if cache.WaitFor(ctx, "", n.self.HasSyncedChecker()) {
		filled()
	}
}

// OnSelf is OnPod for the node's L2Node.
func (n *Node) OnSelf(f func(before, after *v1alpha1.L2Node)) error { return follow(n.self, f) }

// SelfKnown says whether it is known if the node has an L2Node.
func (n *Node) SelfKnown() bool { return n.self.HasSynced() }

// Self is the node's L2Node, and nil where there is none.
func (n *Node) Self() *v1alpha1.L2Node {
	object, _, _ := n.self.GetStore().GetByKey(n.name)
	return as[v1alpha1.L2Node](object)
}

// Pod is nil where the node has none of the name.
func (n *Node) Pod(key types.NamespacedName) *corev1.Pod {
	object, _, _ := n.pods.GetStore().GetByKey(key.String()) // the store of an informer gives no error
	return as[corev1.Pod](object)
}

// Attachment is nil where the node has none of the name.
func (n *Node) Attachment(key types.NamespacedName) *v1alpha1.L2Attachment {
	object, _, _ := n.attachments.GetStore().GetByKey(key.String())
	return as[v1alpha1.L2Attachment](object)
}

// AttachmentsOf are those that name the pod, sorted by name.
func (n *Node) AttachmentsOf(pod types.NamespacedName) []*v1alpha1.L2Attachment {
	objects, _ := n.attachments.GetIndexer().ByIndex(podIndex, pod.String()) // the index is there
	all := typed(objects)
	slices.SortFunc(all, func(x, y *v1alpha1.L2Attachment) int { return cmp.Compare(x.Name, y.Name) })
	return all
}

// Attachments are all of the node.
func (n *Node) Attachments() []*v1alpha1.L2Attachment { return typed(n.attachments.GetStore().List()) }

func typed(objects []any) []*v1alpha1.L2Attachment {
	var all []*v1alpha1.L2Attachment
	for _, object := range objects {
		all = append(all, as[v1alpha1.L2Attachment](object))
	}
	return all
}
