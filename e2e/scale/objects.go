package main

import (
	"fmt"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// nodes is how many nodes the pods are spread over.
const nodes = 100

func nodeName(i int) string    { return fmt.Sprintf("node-%03d", i%nodes) }
func networkName(i int) string { return fmt.Sprintf("n-%05d", i) }
func podName(i int) string     { return fmt.Sprintf("p-%05d", i) }

func newNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func newNetwork(namespace, name, subnet string) *v1alpha1.L2Network {
	return &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.L2NetworkSpec{Type: v1alpha1.VNet, IPAM: &v1alpha1.IPAM{Subnets: []string{subnet}}},
	}
}

func smallSubnet(i int) string { return fmt.Sprintf("10.%d.%d.0/24", 1+i/250%250, i%250) }

// newPod asks for the networks; with an empty node it waits to be bound.
func newPod(namespace, name, networks, node string) *corev1.Pod {
	at := int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Annotations: map[string]string{v1alpha1.NetworksAnnotation: networks},
		},
		Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: &at,
			Containers: []corev1.Container{{Name: "c", Image: "localhost/none"}},
		},
	}
}

// The floor's objects look like those that the controller makes of a network and a pod.

func floorDefinition(namespace, name string) *nadv1.NetworkAttachmentDefinition {
	return &nadv1.NetworkAttachmentDefinition{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       nadv1.NetworkAttachmentDefinitionSpec{Config: `{"cniVersion":"1.0.0","type":"l2sm","name":"` + name + `"}`},
	}
}

func floorAttachment(pod *corev1.Pod, network string) *v1alpha1.L2Attachment {
	return &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: fmt.Sprintf("%s-net1-%.8s", pod.Name, pod.UID),
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}},
		},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: pod.Name, PodUID: pod.UID, NodeName: pod.Spec.NodeName, Network: v1alpha1.NetworkReference{Name: network},
			Interface: "net1", MACAddress: "0a:58:0a:65:02:0a", Addresses: []string{"10.101.2.10/16"},
		},
	}
}

// floorStatus is a status by server-side apply, with one condition and some text, as those of l2sm are.
func floorStatus(kind string, key types.NamespacedName, status map[string]any) map[string]any {
	status["conditions"] = []any{map[string]any{
		"type": "Accepted", "status": "True", "reason": "Accepted", "message": "the port is in OVN's northbound database",
		"lastTransitionTime": time.Now().UTC().Format(time.RFC3339), "observedGeneration": int64(1),
	}}
	return map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": kind,
		"metadata": map[string]any{"namespace": key.Namespace, "name": key.Name}, "status": status,
	}
}
