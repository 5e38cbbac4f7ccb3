package charts_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// pods are the templates of all workloads, by the workload's name.
func pods(t *testing.T, all map[object]map[string]any) map[string]corev1.PodSpec {
	t.Helper()
	found := map[string]corev1.PodSpec{}
	for key, o := range all {
		if key.kind != "Deployment" && key.kind != "DaemonSet" {
			continue
		}
		var workload struct {
			Spec struct {
				Template corev1.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, &workload); err != nil {
			t.Fatalf("%v: %v", key, err)
		}
		found[key.name] = workload.Spec.Template.Spec
	}
	return found
}

// Each value reaches what it says, and nothing else.
func TestValues(t *testing.T) {
	const values = `
image: {registry: registry.example:5000/mirror, tag: v1.2.3, pullPolicy: Always, pullSecrets: [{name: mine}]}
settings: {underlayMTU: 9000, refuseOverlaps: true, underlayFamily: IPv6}
controller:
  nodeSelector: {node-role.kubernetes.io/control-plane: ""}
  tolerations: [{key: special, operator: Exists}]
  priorityClassName: mine
  resources: {controller: {limits: {memory: 512Mi}, requests: {cpu: 1}}}
agent:
  nodeSelector: {l2sm: "true"}
edge:
  enabled: true
  nodeSelector: {rack: "7"}
`
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	all := rendered(t, "--values="+file)
	plain, changed := pods(t, rendered(t, "--set=edge.enabled=true")), pods(t, all)
	for name, want := range plain {
		want.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "mine"}}
		for _, containers := range [][]corev1.Container{want.InitContainers, want.Containers} {
			for i := range containers {
				image := containers[i].Image
				containers[i].Image = "registry.example:5000/mirror/" + strings.TrimSuffix(filepath.Base(image), ":dev") + ":v1.2.3"
				containers[i].ImagePullPolicy = corev1.PullAlways
			}
		}
		switch name {
		case "l2sm-controller":
			want.NodeSelector = map[string]string{"node-role.kubernetes.io/control-plane": ""}
			want.Tolerations = []corev1.Toleration{{Key: "special", Operator: corev1.TolerationOpExists}}
			want.PriorityClassName = "mine"
			want.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")}
			want.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("1")
		case "l2sm-agent":
			want.NodeSelector = map[string]string{"l2sm": "true"}
		case "l2sm-edge":
			want.NodeSelector = map[string]string{"l2sm.io/edge": "", "rack": "7"}
		}
		if diff := gocmp.Diff(want, changed[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	settings := all[object{"v1", "ConfigMap", "l2sm-system", "l2sm-settings-HASH"}]["data"].(map[string]any)
	for setting, want := range map[string]string{
		"UNDERLAY_MTU": "9000", "REFUSE_OVERLAPS": "true", "UNDERLAY_FAMILY": "IPv6", "DATAPATH": "system", "TUNNEL_INTERFACE": "",
	} {
		if settings[setting] != want {
			t.Errorf("%s is %q, want %q", setting, settings[setting], want)
		}
	}
}

// Other settings are another ConfigMap, so that pods roll.
func TestSettingsRollPods(t *testing.T) {
	names := map[string]bool{}
	for _, mtu := range []string{"1500", "1500", "9000"} {
		text, err := tool(t, "helm", "template", "l2sm", "l2sm", "--set=settings.underlayMTU="+mtu)
		if err != nil {
			t.Fatal(err)
		}
		of := map[string]bool{}
		for _, name := range settingsName.FindAllString(text, -1) {
			of[name], names[name] = true, true
		}
		if len(of) != 1 {
			t.Errorf("references to %d ConfigMaps of settings, want one: %v", len(of), of)
		}
	}
	if len(names) != 2 {
		t.Errorf("%d names for two settings: %v", len(names), names)
	}
}

// A setting that is added to the manifests gets a value.
func TestEverySettingHasAValue(t *testing.T) {
	text, err := os.ReadFile("l2sm/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct{ Settings map[string]any }
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for key := range values.Settings {
		has[strings.ToLower(key)] = true
	}
	file, err := os.Open("../manifests/default/settings.env")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, _, is := strings.Cut(lines.Text(), "=")
		if is && !strings.HasPrefix(name, "#") && !has[strings.ToLower(strings.ReplaceAll(name, "_", ""))] {
			t.Errorf("%s has no value in charts/l2sm/values.yaml and values.schema.json", name)
		}
	}
}

// Where the release's own namespace is l2sm-system, helm or a person has made it.
func TestOwnNamespace(t *testing.T) {
	for namespace, want := range map[string]bool{"l2sm-system": false, "kube-system": true} {
		_, has := rendered(t, "--namespace="+namespace)[object{"v1", "Namespace", "", "l2sm-system"}]
		if has != want {
			t.Errorf("a release in namespace %s has Namespace l2sm-system: %t, want %t", namespace, has, want)
		}
	}
}

// What can't work is refused before anything is installed, and named.
func TestWrongValues(t *testing.T) {
	for set, want := range map[string]string{
		"settings.datapath=dpdk":                             "/settings/datapath",
		"settings.datapath=netdev":                           "/settings/tunnelInterface",
		"settings.tunnelKeys=all":                            "/settings/tunnelKeys",
		"settings.fabric=zones":                              "/settings/fabric",
		"settings.attachBy=cni":                              "/settings/attachBy",
		"settings.underlayMTU=150":                           "/settings/underlayMTU",
		"settings.underlayMtu=1500":                          "underlayMtu",
		"edge.enabled=maybe":                                 "/edge/enabled",
		"edge.wireGuard=true":                                "/edge/enabled",
		"mutatingPolicies=maybe":                             "/mutatingPolicies",
		"nodeFolders.cniBin=opt/cni":                         "/nodeFolders/cniBin",
		"image.registry=":                                    "/image/registry",
		"agent.resources.manager.limits.memory=1Gi":          "agent.resources.manager: no such container; there are install-cni, agent",
		"tolerations[0].operator=Exists":                     "tolerations",
		"controller.resources.controller.limit.memory=512Mi": "limit",
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			_, err := tool(t, "helm", "template", "l2sm", "l2sm", "--set="+set)
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ".", "/"), strings.ReplaceAll(want, ".", "/")) {
				t.Errorf("got %v, want an error that names %q", err, want)
			}
		})
	}
}
