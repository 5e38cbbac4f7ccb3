//go:build integration

package zones_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// object is what the tests read of one.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct{ Template corev1.PodTemplateSpec }
}

// key names an object without the hash of its content.
func (o object) key() string {
	name := o.Metadata.Name
	if i := strings.LastIndex(name, "-"); o.Kind == "ConfigMap" && i > 0 && len(name)-i == 11 {
		name = name[:i]
	}
	return o.Kind + "/" + name
}

// builds are those that were made, by their folders.
var builds = map[string]map[string]object{}

// built are the objects of a kustomization.
func built(t *testing.T, folder string) map[string]object {
	t.Helper()
	if builds[folder] != nil {
		return builds[folder]
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../../go.tools.mod", "kustomize", "build", folder)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("build %s: %v: %s", folder, err, errs.String())
	}
	all := map[string]object{}
	for decoder := yaml.NewYAMLToJSONDecoder(bytes.NewReader(out)); ; {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			builds[folder] = all
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var o object
		if json.Unmarshal(raw, &o) != nil { // a kind whose spec is of another form
			o.Spec = struct{ Template corev1.PodTemplateSpec }{}
		}
		all[o.key()] = o
	}
}

// Nothing of OVN is central, and no other object comes or goes.
func TestObjects(t *testing.T) {
	central, zones := built(t, "../overlays/lab"), built(t, "../overlays/zones")
	var gone, added []string
	for key := range central {
		if _, has := zones[key]; !has {
			gone = append(gone, key)
		}
	}
	for key := range zones {
		if _, has := central[key]; !has {
			added = append(added, key)
		}
	}
	slices.Sort(gone)
	slices.Sort(added)
	want := []string{"ConfigMap/ovn-central-scripts", "Deployment/ovn-central", "Role/ovn-central", "RoleBinding/ovn-central", "Service/ovn-central", "ServiceAccount/ovn-central"}
	if diff := gocmp.Diff(want, gone); diff != "" {
		t.Errorf("objects that only Central has (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]string{
		"ClusterRole/l2sm-agent-zone", "ClusterRoleBinding/l2sm-agent-zone", "ConfigMap/ovn-zone-scripts", "Role/l2sm-certificates", "RoleBinding/l2sm-certificates",
	}, added); diff != "" {
		t.Errorf("objects that only Zones has (-want +got):\n%s", diff)
	}
	settings := zones["ConfigMap/l2sm-settings"].Data
	if settings["FABRIC"] != "Zones" || settings["DATAPATH"] != "netdev" {
		t.Errorf("settings are %v, want those of the local cluster on Zones", settings)
	}
}

// ofCentral says whether a volume has a certificate of the central databases': all but
// what metrics are served with.
func ofCentral(v corev1.Volume) bool {
	return v.Secret != nil && v.Secret.SecretName != "l2sm-agent-tls" || v.HostPath != nil && v.HostPath.Path == "/run/l2sm/ovn"
}

// No program has a certificate or a port of a database, and none got a right more.
func TestPods(t *testing.T) {
	central, zones := built(t, "../overlays/lab"), built(t, "../overlays/zones")
	for key, o := range zones {
		pod := o.Spec.Template.Spec
		for _, v := range pod.Volumes {
			if ofCentral(v) {
				t.Errorf("%s still mounts %s", key, v.Name)
			}
		}
		before := map[string]corev1.Container{}
		for _, c := range all(central[key].Spec.Template.Spec) {
			before[c.Name] = c
		}
		for _, c := range all(pod) {
			if diff := gocmp.Diff(expected(before, c.Name), rights(c)); diff != "" {
				t.Errorf("%s, container %s (-want +got):\n%s", key, c.Name, diff)
			}
			for _, e := range c.Env {
				if strings.Contains(e.Value, "OVN_CENTRAL") {
					t.Errorf("%s, container %s has %s=%s", key, c.Name, e.Name, e.Value)
				}
			}
			if !strings.HasPrefix(c.Image, "localhost/l2sm-") {
				t.Errorf("%s, container %s has image %q", key, c.Name, c.Image)
			}
		}
	}
}

func all(pod corev1.PodSpec) []corev1.Container {
	return slices.Concat(pod.InitContainers, pod.Containers)
}

// right is what a container may do to its node.
type right struct {
	Privileged, Escalates, Writes bool
	Adds, Drops                   []corev1.Capability
}

func rights(c corev1.Container) right {
	s := c.SecurityContext
	return right{
		Privileged: s.Privileged != nil && *s.Privileged, Escalates: *s.AllowPrivilegeEscalation, Writes: !*s.ReadOnlyRootFilesystem,
		Adds: s.Capabilities.Add, Drops: s.Capabilities.Drop,
	}
}

// expected are those on Central, and none for a container that it has not.
func expected(before map[string]corev1.Container, name string) right {
	if c, has := before[name]; has {
		return rights(c)
	}
	return right{Drops: []corev1.Capability{"ALL"}}
}
