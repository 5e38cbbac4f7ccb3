package openshift

import (
	"bytes"
	"os"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// constraints are what is read of SecurityContextConstraints.
type constraints struct {
	AllowHostNetwork         bool     `json:"allowHostNetwork"`
	AllowPrivilegedContainer bool     `json:"allowPrivilegedContainer"`
	AllowedCapabilities      []string `json:"allowedCapabilities"`
	SeccompProfiles          []string `json:"seccompProfiles"`
	Volumes                  []string `json:"volumes"`
	Users                    []string `json:"users"`
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := bytes.Cut(text, []byte("\n---\n"))
	if err := yaml.Unmarshal(first, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// What the pods on nodes ask for is what OpenShift lets them have, and what it lets
// them have one of them asks for. None of them is confined by SELinux, which would
// keep it from the node's sockets and folders.
func TestConstraintsAreWhatPodsAskFor(t *testing.T) {
	var scc constraints
	read(t, "scc.yaml", &scc)
	asked := map[string]bool{}
	for _, file := range []string{"../agent/daemonset.yaml", "../edge/daemonset.yaml", "../ovn-node/daemonset.yaml", "../uninstall/daemonset.yaml"} {
		var set appsv1.DaemonSet
		read(t, file, &set)
		spec := set.Spec.Template.Spec
		if !scc.AllowHostNetwork && spec.HostNetwork {
			t.Errorf("%s: hostNetwork is not allowed", file)
		}
		if user := "system:serviceaccount:l2sm-system:" + spec.ServiceAccountName; !slices.Contains(scc.Users, user) {
			t.Errorf("%s: %s is no user of the constraints", file, user)
		}
		if context := spec.SecurityContext; context == nil || context.SELinuxOptions == nil || context.SELinuxOptions.Type != "spc_t" {
			t.Errorf("%s: SELinux would keep it from the node's sockets: want type spc_t", file)
		}
		if context := spec.SecurityContext; context == nil || context.SeccompProfile == nil || context.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: want the runtime's seccomp profile", file)
		}
		for _, v := range spec.Volumes {
			asked[kindOf(v)] = true
		}
		for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
			context := c.SecurityContext
			if context == nil || context.Privileged != nil || context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem ||
				context.AllowPrivilegeEscalation == nil || *context.AllowPrivilegeEscalation {
				t.Errorf("%s: container %s: want a read-only root, no escalation, and nothing privileged", file, c.Name)
				continue
			}
			for _, capability := range context.Capabilities.Add {
				asked[string(capability)] = true
			}
		}
	}
	allowed := slices.Concat(scc.AllowedCapabilities, scc.Volumes)
	for what := range asked {
		if !slices.Contains(allowed, what) {
			t.Errorf("%s is asked for and not allowed", what)
		}
	}
	for _, what := range allowed {
		if !asked[what] && what != "projected" { // the service account's token
			t.Errorf("%s is allowed and not asked for", what)
		}
	}
}

func kindOf(v corev1.Volume) string {
	switch {
	case v.HostPath != nil:
		return "hostPath"
	case v.ConfigMap != nil:
		return "configMap"
	case v.EmptyDir != nil:
		return "emptyDir"
	case v.Secret != nil:
		return "secret"
	case v.Projected != nil:
		return "projected"
	default:
		return v.Name
	}
}
