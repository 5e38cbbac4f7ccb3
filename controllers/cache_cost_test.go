package controllers

import (
	"encoding/json"
	"fmt"
	"reflect"
	goruntime "runtime"
	"testing"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/heaptest"
	"l2sm.io/l2sm/internal/multus"
)

// What the cache keeps of each object, its indexes included, decides how many
// networks a controller of a given size can serve.
func TestCacheIsSmall(t *testing.T) {
	cases := map[string]struct {
		reason string
		object func(i int) client.Object
		most   int
	}{
		"Pod":        {"it asks for a network, and Multus has reported", cachedPod, 650},
		"PlainPod":   {"most pods ask for nothing", plainPod, 350},
		"Attachment": {"accepted and wired", cachedAttachment, 1_900},
		"Network":    {"in force, programmed and ready", cachedNetwork, 900},
		"Definition": {"kept for a network", cachedDefinition, 500},
		"Remote":     {"200 hosts with an IPv4 address each", cachedRemote, 600 + 40*remoteHosts},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			const objects = 2_000
			store := newKept(t, tc.object(0))
			store.add(t, tc.object(objects)) // what is made once
			each := heaptest.Retained(func() {
				for i := range objects {
					store.add(t, tc.object(i))
				}
			}) / objects

			t.Logf("one takes %d bytes", each)
			if each > tc.most {
				t.Errorf("%s\none in the cache takes %d bytes, want at most %d", tc.reason, each, tc.most)
			}
			goruntime.KeepAlive(store)
		})
	}
}

// kept is the cache of one kind.
type kept struct {
	kind      client.Object
	transform toolscache.TransformFunc
	store     toolscache.Indexer
	decoder   runtime.Decoder
}

func newKept(t testing.TB, of client.Object) *kept {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme, nadv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	o := CacheOptions()
	transform := o.DefaultTransform
	for kind, by := range o.ByObject {
		if reflect.TypeOf(kind) == reflect.TypeOf(of) && by.Transform != nil {
			transform = by.Transform
		}
	}
	informer := o.NewInformer(nil, of, 0, toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc})
	return &kept{of, transform, informer.GetIndexer(), serializer.NewCodecFactory(scheme).UniversalDeserializer()}
}

// decoded is the object as a watch gives it.
func (k *kept) decoded(t testing.TB, o client.Object) runtime.Object {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	into := reflect.New(reflect.TypeOf(o).Elem()).Interface().(runtime.Object)
	if _, _, err := (runtime.WithoutVersionDecoder{Decoder: k.decoder}).Decode(text, nil, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func (k *kept) add(t testing.TB, o client.Object) {
	t.Helper()
	object, err := k.transform(k.decoded(t, o))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.store.Add(object); err != nil {
		t.Fatal(err)
	}
}

func cachedMeta(kind string, i int) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: fmt.Sprintf("tenant-%02d", i%20), Name: fmt.Sprintf("%s-%05d", kind, i),
		UID: cachedUID(kind, i), ResourceVersion: fmt.Sprint(100_000 + i), Generation: 2, CreationTimestamp: metav1.Now(),
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: "l2sm-controller", Operation: "Apply", APIVersion: "v1", FieldsType: "FieldsV1",
			FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{}},"f:spec":{},"f:status":{}}`),
		}},
	}
}

func cachedUID(kind string, i int) types.UID {
	return types.UID(fmt.Sprintf("%08d-0000-4000-8000-%012x", i, kind[0]))
}

func cachedNode(i int) string { return fmt.Sprintf("node-%03d", i%100) }

func cachedPod(i int) client.Object {
	p := plainPod(i).(*corev1.Pod)
	p.Annotations[v1alpha1.NetworksAnnotation] = fmt.Sprintf("net-%05d", i)
	p.Annotations[nadv1.NetworkAttachmentAnnot] = "l2sm-system/l2sm"
	p.Annotations[nadv1.NetworkStatusAnnot] = `[{"name":"cbr0","interface":"eth0","ips":["10.244.1.7"],"mac":"0a:58:0a:f4:01:07","default":true}]`
	return p
}

func plainPod(i int) client.Object {
	p := &corev1.Pod{ObjectMeta: cachedMeta("pod", i)}
	p.Kind, p.APIVersion = "Pod", "v1"
	p.Annotations = map[string]string{"checksum/config": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}
	p.Labels = map[string]string{"app": "x"}
	p.Spec.NodeName, p.Status.Phase = cachedNode(i), corev1.PodRunning
	p.Spec.Containers = []corev1.Container{{Name: "c", Image: "localhost/none"}}
	p.Status.PodIP = "10.244.1.7"
	return p
}

func since(conditions ...metav1.Condition) []metav1.Condition {
	for i := range conditions {
		conditions[i].LastTransitionTime, conditions[i].ObservedGeneration = metav1.Now(), 2
	}
	return conditions
}

func cachedNetwork(i int) client.Object {
	subnet := fmt.Sprintf("10.%d.%d.0/24", 1+i/250, i%250)
	n := &v1alpha1.L2Network{ObjectMeta: cachedMeta("net", i)}
	n.Kind, n.APIVersion = "L2Network", v1alpha1.GroupVersion.String()
	n.Finalizers = []string{v1alpha1.NetworkFinalizer}
	n.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: fmt.Sprintf(`{"apiVersion":"l2sm.io/v1alpha1","kind":"L2Network","metadata":{"name":%q},"spec":{"ipam":{"subnets":[%q]}}}`, n.Name, subnet)}
	n.Spec = v1alpha1.L2NetworkSpec{Type: v1alpha1.VNet, IPAM: &v1alpha1.IPAM{Subnets: []string{subnet}}}
	n.Spec.AllowedNamespaces.From, n.Spec.AllowedNamespaces.MaxAttachments = v1alpha1.NamespacesFromSame, 256
	n.Status = v1alpha1.L2NetworkStatus{
		Conditions:  since(v1alpha1.NetworkAccepted(), v1alpha1.Programmed(1), v1alpha1.NetworkReady()),
		Attachments: 1, MTU: 1442, Subnets: subnet, IPAM: &v1alpha1.IPAMStatus{Ranges: []string{subnet}}, InForce: n.Spec.DeepCopy(),
	}
	return n
}

func cachedDefinition(i int) client.Object {
	d := multus.NetworkDefinition(cachedNetwork(i).(*v1alpha1.L2Network))
	meta := cachedMeta("net", i)
	meta.Labels, meta.OwnerReferences = d.Labels, d.OwnerReferences
	d.ObjectMeta = meta
	d.Kind, d.APIVersion = "NetworkAttachmentDefinition", "k8s.cni.cncf.io/v1"
	return d
}

func cachedAttachment(i int) client.Object {
	pod, yes := plainPod(i), true
	iface := "net1"
	a := &v1alpha1.L2Attachment{ObjectMeta: cachedMeta("pod", i)}
	a.Kind, a.APIVersion = "L2Attachment", v1alpha1.GroupVersion.String()
	a.Name = fmt.Sprintf("%s-%s-%.8s", a.Name, iface, a.UID)
	a.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}
	a.Annotations = map[string]string{v1alpha1.EntryAnnotation: fmt.Sprintf(`{"name":"net-%05d"}`, i)}
	a.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.GetName(), UID: pod.GetUID(), Controller: &yes, BlockOwnerDeletion: &yes}}
	address := fmt.Sprintf("10.%d.%d.2/24", 1+i/250, i%250)
	network := v1alpha1.NetworkReference{Name: fmt.Sprintf("net-%05d", i)}
	a.Spec = v1alpha1.L2AttachmentSpec{
		PodName: pod.GetName(), PodUID: pod.GetUID(), NodeName: cachedNode(i), Network: network, Interface: iface,
		MACAddress: fmt.Sprintf("0a:58:0a:%02x:%02x:02", 1+i/250, i%250), Addresses: []string{address},
	}
	network.Namespace = a.Namespace
	a.Status = v1alpha1.L2AttachmentStatus{
		Conditions: since(v1alpha1.AttachmentAccepted(), v1alpha1.AttachmentReady(iface)),
		Network:    &network, PortName: fmt.Sprintf("l2sm/%s/%s/%s", a.Namespace, pod.GetName(), iface), MTU: 1442, Addresses: address,
	}
	return a
}
