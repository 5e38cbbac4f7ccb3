package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/lab"
)

// scene is a namespace with networks and pods that stay for a whole
// measurement.
type scene struct {
	labName   string
	count     int
	json      string
	namespace string
	lab       *lab.Lab
	api       client.Client
}

func (o *scene) flags(cmd *cobra.Command, count int, what string) {
	f := cmd.Flags()
	f.StringVar(&o.labName, "lab", "l2sm", "name of the local cluster")
	f.IntVar(&o.count, "count", count, what)
	f.StringVar(&o.json, "json", "bin/bench-"+cmd.Name()+".json", "file for the figures")
}

func (o *scene) open(ctx context.Context, namespace string) error {
	var err error
	if o.lab, err = lab.Find(o.labName); err != nil {
		return err
	}
	if len(o.lab.Nodes()) < 3 {
		return fmt.Errorf("lab %q has %d nodes, want 3", o.labName, len(o.lab.Nodes()))
	}
	if o.api, err = o.lab.Client(); err != nil {
		return err
	}
	o.namespace = namespace
	return client.IgnoreAlreadyExists(o.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
}

// end removes everything that the measurement made.
func (o *scene) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if out, err := o.lab.Kubectl(ctx, "delete", "namespace", o.namespace); err != nil {
		fmt.Println("bench: remove namespace:", err, out)
	}
}

func (o *scene) network(ctx context.Context, name, subnet string) error {
	n := &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: name},
		Spec:       v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{subnet}}},
	}
	if err := o.api.Create(ctx, n); err != nil {
		return err
	}
	_, err := o.lab.Kubectl(ctx, "-n", o.namespace, "wait", "--for=condition=Programmed", "--timeout=30s", "l2net/"+name)
	return err
}

// scenePod is a pod on the node of that index.
type scenePod struct {
	name, networks string
	node           int
}

func (o *scene) pod(ctx context.Context, p scenePod) error {
	pod := toolbox(p.name, nil)
	pod.Namespace = o.namespace
	pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: o.lab.Nodes()[p.node]}
	if p.networks != "" {
		pod.Annotations = map[string]string{v1alpha1.NetworksAnnotation: p.networks}
	}
	now := int64(0)
	pod.Spec.TerminationGracePeriodSeconds = &now
	if err := o.api.Create(ctx, pod); err != nil {
		return err
	}
	_, err := o.lab.Kubectl(ctx, "-n", o.namespace, "wait", "--for=condition=Ready", "--timeout="+(time.Minute).String(), "pod/"+p.name)
	return err
}
