//go:build e2e

package clusters

import (
	"fmt"
	"strings"
)

// network is the part of network net in one cluster. Without an id it goes on nowhere.
func (p place) network(id int) string { return p.networkOf(id, 1450) }

// networkOf is network with an MTU of its own.
func (p place) networkOf(id, mtu int) string {
	spec := fmt.Sprintf(`mtu: %[2]d, ipam: {subnets: ["10.60.0.0/16", "fd60::/64"], ranges: ["10.60.%[1]d.0/24", "fd60::%[1]d:0/112"]}`, p.nth, mtu)
	if id > 0 {
		spec += fmt.Sprintf(", stretch: {id: %d, peers: [%s]}", id, p.other)
	}
	return fmt.Sprintf("apiVersion: l2sm.io/v1alpha1\nkind: L2Network\nmetadata: {name: net}\nspec: {%s}", spec)
}

// pod is a toolbox on the network that sleeps, on a node or, with "", on any.
func pod(name, node, ask string) string {
	selector := ""
	if node != "" {
		selector = fmt.Sprintf("nodeSelector: {kubernetes.io/hostname: %s}, ", node)
	}
	return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, annotations: {l2sm.io/networks: '[{"name": "net"%s}]'}}, spec: {terminationGracePeriodSeconds: 0, %s`+
		`containers: [{name: toolbox, image: "localhost/l2sm-toolbox:dev", imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]}}`, name, ask, selector)
}

// asks is for addresses, and more of the annotation's entry.
func asks(more string, ips ...string) string {
	return fmt.Sprintf(`, "ips": ["%s"]%s`, strings.Join(ips, `", "`), more)
}
