package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// manyNetworks makes many networks of each kind at once, as kubectl does of a file, and a pod on
// the last of them: a user's wait is over when it is ready. They stay.
func (o options) manyNetworks(ctx context.Context, out io.Writer, pods *pods) ([]row, error) {
	var rows []row
	for _, k := range []struct {
		name, annotation string
		object           func(name string) string
	}{{theirs, nadv1.NetworkAttachmentAnnot, peerDefinition}, {ours, v1alpha1.NetworksAnnotation, manyNetwork}} {
		fmt.Fprintf(out, "%d networks of %s\n", o.networks, k.name)
		var objects []string
		var last string
		for i := range o.networks {
			last = fmt.Sprintf("many-%s-%d", strings.ToLower(k.name), i)
			objects = append(objects, k.object(last))
		}
		began := time.Now()
		if err := pods.create(ctx, strings.Join(objects, "---\n")); err != nil {
			return nil, fmt.Errorf("make networks of %s: %w", k.name, err)
		}
		t, err := pods.start(ctx, 1, map[string]string{k.annotation: last})
		if err != nil {
			return nil, fmt.Errorf("a pod on the last network of %s: %w", k.name, err)
		}
		rows = append(rows, row{fmt.Sprintf("%d networks, %s: created -> a pod on the last ready", o.networks, k.name), summarize([]float64{ms(t[0].ready.Sub(began))})})
	}
	memory, err := memoryOfPeers(ctx, pods.lab)
	for _, m := range memory {
		rows = append(rows, row{fmt.Sprintf("%s, with %d networks of each", m.Name, o.networks), m.figure})
	}
	return rows, err
}

func manyNetwork(name string) string {
	return fmt.Sprintf("apiVersion: l2sm.io/v1alpha1\nkind: L2Network\nmetadata: {name: %s}\nspec: {ipam: {subnets: [10.97.0.0/24]}}\n", name)
}

// peerDefinition is one of OVN-Kubernetes' layer-2 networks.
func peerDefinition(name string) string {
	return fmt.Sprintf(`apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: %[1]s}
spec: {config: '{"cniVersion": "1.0.0", "name": %[1]q, "type": "ovn-k8s-cni-overlay", "topology": "layer2", "subnets": "10.95.0.0/16", "mtu": 1400, "netAttachDefName": "%[2]s/%[1]s"}'}
`, name, namespace)
}

// create makes objects in the bench's namespace.
func (p *pods) create(ctx context.Context, yaml string) error {
	cmd := p.lab.KubectlCommand(ctx, "-n", namespace, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(yaml)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
