package node

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// environment is the container's, as env(1) takes it.
func (p *Pod) environment(c corev1.Container) []string {
	all := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil {
			for key, value := range p.template.Settings[from.ConfigMapRef.Name] {
				all[key] = value
			}
		}
	}
	for _, v := range c.Env {
		all[v.Name] = v.Value
		if v.ValueFrom != nil && v.ValueFrom.FieldRef != nil {
			all[v.Name] = p.field(v.ValueFrom.FieldRef)
		}
	}
	for key, value := range p.template.Env {
		all[key] = value
	}
	var list []string
	for key, value := range all {
		list = append(list, key+"="+value)
	}
	slices.Sort(list)
	return list
}

// field is what the downward API says of the pod (Kubernetes documentation, "Downward API").
func (p *Pod) field(of *corev1.ObjectFieldSelector) string {
	switch of.FieldPath {
	case "spec.nodeName":
		return p.node.Name
	case "status.hostIP":
		return p.node.IPs[0]
	case "status.hostIPs":
		return strings.Join(p.node.IPs, ",")
	case "metadata.name":
		return p.name
	}
	return ""
}
