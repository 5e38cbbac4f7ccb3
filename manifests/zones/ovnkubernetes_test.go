//go:build integration

package zones_test

import (
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// sockets are those of upstream's manifests.
var sockets = map[string]string{"NB_ENDPOINTS": "unix:/run/openvswitch/ovnnb_db.sock", "SB_ENDPOINTS": "unix:/run/openvswitch/ovnsb_db.sock"}

// Inside OVN-Kubernetes l2sm brings no OVN and no Open vSwitch, and no more rights than elsewhere.
func TestInsideOVNKubernetes(t *testing.T) {
	central, inside := built(t, "../default"), built(t, "../overlays/ovn-kubernetes")
	var gone []string
	for key := range central {
		if _, has := inside[key]; !has {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	want := []string{
		"ConfigMap/ovn-central-scripts", "ConfigMap/ovn-node-scripts", "DaemonSet/ovn-node", "Deployment/ovn-central",
		"Role/ovn-central", "RoleBinding/ovn-central", "Service/ovn-central", "ServiceAccount/ovn-central",
	}
	if diff := gocmp.Diff(want, gone); diff != "" {
		t.Errorf("objects that are not for OVN-Kubernetes (-want +got):\n%s", diff)
	}
	if got := inside["ConfigMap/l2sm-settings"].Data["FABRIC"]; got != "OVNKubernetes" {
		t.Errorf("FABRIC is %q", got)
	}
	for key, o := range inside {
		_, has := central[key]
		// What a zone's writer reads, and what ovn-central's pki keeps elsewhere.
		if !has && !strings.HasSuffix(key, "/l2sm-agent-zone") && !strings.HasSuffix(key, "/l2sm-certificates") {
			t.Errorf("%s is there in addition", key)
		}
		pod := o.Spec.Template.Spec
		for _, v := range pod.Volumes {
			if ofCentral(v) {
				t.Errorf("%s still mounts %s", key, v.Name)
			}
		}
		for _, c := range all(pod) {
			if strings.Contains(c.Image, "l2sm-ovn") {
				t.Errorf("%s brings OVN in container %s", key, c.Name)
			}
			for _, e := range c.Env {
				if socket, is := sockets[e.Name]; is && e.Value != socket {
					t.Errorf("container %s has %s=%s, want %s", c.Name, e.Name, e.Value, socket)
				}
			}
		}
	}
	agent := inside["DaemonSet/l2sm-agent"].Spec.Template.Spec.Containers[0]
	if diff := gocmp.Diff(rights(central["DaemonSet/l2sm-agent"].Spec.Template.Spec.Containers[0]), rights(agent)); diff != "" {
		t.Errorf("the agent's rights (-elsewhere +here):\n%s", diff)
	}
}

// On OpenShift the databases' sockets are elsewhere on the node, and so are CNI
// plugins; nothing else differs.
func TestInsideOpenShift(t *testing.T) {
	inside, openshift := built(t, "../overlays/ovn-kubernetes"), built(t, "../overlays/openshift")
	for key := range inside {
		if _, has := openshift[key]; !has {
			t.Errorf("%s is missing", key)
		}
	}
	for key := range openshift {
		if _, has := inside[key]; !has && key != "SecurityContextConstraints/l2sm-node" && key != "RoleBinding/l2sm-nonroot" {
			t.Errorf("%s is there in addition", key)
		}
	}
	pod := openshift["DaemonSet/l2sm-agent"].Spec.Template.Spec
	mounted := map[string]string{} // folders of the agent by those of the node
	for _, m := range pod.Containers[0].VolumeMounts {
		for _, v := range pod.Volumes {
			if v.Name == m.Name && v.HostPath != nil {
				mounted[v.HostPath.Path] = m.MountPath
			}
		}
	}
	got := map[string]string{}
	for _, e := range pod.Containers[0].Env {
		if _, is := sockets[e.Name]; is {
			got[e.Name] = e.Value
		}
	}
	want := map[string]string{
		"NB_ENDPOINTS": "unix:" + mounted["/var/run/ovn-ic"] + "/ovnnb_db.sock",
		"SB_ENDPOINTS": "unix:" + mounted["/var/run/ovn-ic"] + "/ovnsb_db.sock",
	}
	if diff := gocmp.Diff(want, got); diff != "" || mounted["/var/run/ovn-ic"] == "" {
		t.Errorf("sockets (-want +got), %v:\n%s", mounted, diff)
	}
	for _, v := range pod.Volumes {
		if v.Name == "cni-bin" && v.HostPath.Path != "/var/lib/cni/bin" {
			t.Errorf("CNI plugins go to %s", v.HostPath.Path)
		}
	}
}
