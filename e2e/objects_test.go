//go:build e2e || conformance

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// network is an L2Network with the given subnets; none makes it pure layer 2.
func network(name string, subnets ...string) string {
	if len(subnets) == 0 {
		return networkSpec(name, "{}")
	}
	return networkSpec(name, fmt.Sprintf("{ipam: {subnets: [%s]}}", quoted(subnets)))
}

func networkSpec(name, spec string) string {
	return fmt.Sprintf("apiVersion: l2sm.io/v1alpha1\nkind: L2Network\nmetadata: {name: %s}\nspec: %s", name, spec)
}

func quoted(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%q", s))
	}
	return strings.Join(out, ", ")
}

// paper is a Node without a machine, of which tests make use.
const paper = "paper"

// toolbox is the image of all pods; the local cluster and kind have it on their nodes.
var toolbox = envOr("L2SM_TOOLBOX", "localhost/l2sm-toolbox:dev")

// pod is a toolbox that sleeps, or runs a command to its end.
type pod struct {
	name, node   string
	namespace    string // the scenario's, if nothing says so
	networks     string // our annotation
	multus       string // the Multus annotation
	annotations  map[string]string
	labels       map[string]string
	command      []string // sleep infinity
	capabilities []string
	hostNetwork  bool
}

func (p pod) String() string {
	annotations := maps.Clone(p.annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	if p.networks != "" {
		annotations["l2sm.io/networks"] = p.networks
	}
	if p.multus != "" {
		annotations["k8s.v1.cni.cncf.io/networks"] = p.multus
	}
	restart := "Never"
	if p.command == nil {
		p.command, restart = []string{"sleep", "infinity"}, "Always"
	}
	spec := map[string]any{
		"restartPolicy":                 restart,
		"terminationGracePeriodSeconds": 0,
		"hostNetwork":                   p.hostNetwork,
		"containers": []any{map[string]any{
			"name": "toolbox", "image": toolbox, "imagePullPolicy": "IfNotPresent",
			"command":         p.command,
			"securityContext": map[string]any{"capabilities": map[string]any{"add": p.capabilities}},
		}},
	}
	switch p.node {
	case "":
	case paper: // no scheduler takes it
		spec["nodeName"] = p.node
	default:
		spec["nodeSelector"] = map[string]string{"kubernetes.io/hostname": p.node}
	}
	metadata := map[string]any{"name": p.name, "labels": p.labels, "annotations": annotations}
	if p.namespace != "" {
		metadata["namespace"] = p.namespace
	}
	object, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": metadata,
		"spec":     spec,
	})
	if err != nil {
		panic(err)
	}
	return string(object)
}

// attachment is an L2Attachment that a user makes, with further fields.
func attachment(name, pod, network, more string) string {
	return fmt.Sprintf("apiVersion: l2sm.io/v1alpha1\nkind: L2Attachment\nmetadata: {name: %s}\nspec: {podName: %s, network: {name: %s}%s}", name, pod, network, more)
}

// static asks for addresses on a network.
func static(network string, ips ...string) string {
	return fmt.Sprintf(`[{"name": %q, "ips": [%s]}]`, network, quoted(ips))
}

// deployment is one toolbox that prefers a node, and leaves a dead one at once.
func deployment(name, network, node string) string {
	return fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": %[1]q}, "spec": {"selector": {"matchLabels": {"app": %[1]q}}, "template": {
	"metadata": {"labels": {"app": %[1]q}, "annotations": {"l2sm.io/networks": %[2]q}}, "spec": {"terminationGracePeriodSeconds": 0,
	"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [%[3]q]}]}}]}},
	"tolerations": [{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}],
	"containers": [{"name": "toolbox", "image": %q, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "infinity"]}]}}}}`, name, network, node, toolbox)
}
