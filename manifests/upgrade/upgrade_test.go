//go:build integration

package upgrade_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// standIn is kubectl where there is no cluster: it renders by the real one, keeps
// what is applied, and tells OVN's nodes as $NODES has them at each look.
const standIn = `#!/bin/bash
echo "$*" >> "$DIR/calls"
case "$*" in
kustomize\ *) exec "$REAL" "$@" ;;
"apply -f "*) cp "$3" "$DIR/$(basename "$3")" ;;
*"get daemonset ovn-node"*) echo 2 ;;
*"list Chassis_Private") head -n 1 "$DIR/nodes" | tr , '\n'; sed -i 1d "$DIR/nodes" ;;
esac
[ -z "${FAILS-}" ] || [[ $* != *"$FAILS"* ]]
`

// run runs the script, and returns what it called, without what it rendered from.
func run(t *testing.T, env string, parts ...string) (dir string, calls []string, err error) {
	t.Helper()
	return runOn(t, env, "../overlays/lab", parts...)
}

func runOn(t *testing.T, env, overlay string, parts ...string) (dir string, calls []string, err error) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"kubectl": standIn, "nodes": "a\na\na,b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "./upgrade.sh", append([]string{overlay}, parts...)...)
	cmd.Env = append(os.Environ(), "KUBECTL="+filepath.Join(dir, "kubectl"), "REAL="+filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "DIR="+dir, env)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	text, readErr := os.ReadFile(filepath.Join(dir, "calls"))
	if readErr != nil {
		t.Fatal(readErr)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		for i, w := range words {
			if strings.HasPrefix(w, os.TempDir()) {
				words[i] = filepath.Base(w)
			}
		}
		calls = append(calls, strings.Join(words, " "))
	}
	return dir, calls, err
}

const (
	scheduled = "-n l2sm-system get daemonset ovn-node --ignore-not-found -o jsonpath={.status.currentNumberScheduled}"
	known     = "-n l2sm-system exec deploy/ovn-central -c sb -- ovn-sbctl --timeout=5 --bare --columns=name list Chassis_Private"
)

// pulls get an image onto every node.
var pulls = []string{
	"apply -f pull.yaml", "-n l2sm-system rollout status daemonset/ovn-node-image --timeout=30m", "delete --wait=false -f pull.yaml",
}

// Each part waits for what the next needs, and every object is in one of them.
func TestUpgrade(t *testing.T) {
	dir, calls, err := run(t, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"kustomize ../overlays/lab",
		"apply -f crds.yaml", "wait --for=condition=Established --timeout=60s -f crds.yaml",
		"apply -f control.yaml",
		"-n l2sm-system rollout status deployment/ovn-central --timeout=5m",
		"-n l2sm-system rollout status deployment/l2sm-controller --timeout=5m",
		scheduled, known, scheduled, known, scheduled, known, // until both nodes are there
		"apply -f agents.yaml", "-n l2sm-system rollout status daemonset/l2sm-agent --timeout=10m",
	}
	want = append(want, pulls...)
	want = append(want, "apply -f nodes.yaml", "-n l2sm-system rollout status daemonset/ovn-node --timeout=60m")
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	parts := map[string][]string{}
	for _, part := range []string{"crds", "control", "agents", "nodes"} {
		parts[part] = objects(t, filepath.Join(dir, part+".yaml"))
	}
	for _, o := range parts["control"] {
		if strings.HasPrefix(o, "DaemonSet ") || strings.HasPrefix(o, "CustomResourceDefinition ") {
			t.Errorf("%s is applied with the rest", o)
		}
	}
	// Agents of the other version have their rights until they are replaced.
	agents := []string{"Role l2sm-agent", "ClusterRole l2sm-agent", "RoleBinding l2sm-agent", "ClusterRoleBinding l2sm-agent", "DaemonSet l2sm-agent"}
	if diff := cmp.Diff(agents, parts["agents"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"DaemonSet ovn-node"}, parts["nodes"]); diff != "" {
		t.Error(diff)
	}
	file := filepath.Join(dir, "all.yaml")
	all, err := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", "../overlays/lab").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile, calls, err := runOn(t, "", file)
	if diff := cmp.Diff(want[1:], calls); diff != "" || err != nil {
		t.Errorf("calls for what is rendered already (-want +got), %v:\n%s", err, diff)
	}
	for part, of := range parts {
		if diff := cmp.Diff(of, objects(t, filepath.Join(fromFile, part+".yaml"))); diff != "" {
			t.Errorf("part %s of what is rendered already (-want +got):\n%s", part, diff)
		}
	}
	count := 0
	for _, part := range parts {
		count += len(part)
	}
	if got := len(objects(t, file)); got != count || len(parts["crds"]) != 6 {
		t.Errorf("%d objects are rendered, %d are applied, %d of them kinds", got, count, len(parts["crds"]))
	}
}

// Fabric Zones has no central database to wait for.
func TestUpgradeOfZones(t *testing.T) {
	_, calls, err := runOn(t, "", "../overlays/zones", "control", "agents")
	want := []string{
		"kustomize ../overlays/zones", "apply -f control.yaml", "-n l2sm-system rollout status deployment/l2sm-controller --timeout=5m",
		"apply -f agents.yaml", "-n l2sm-system rollout status daemonset/l2sm-agent --timeout=10m",
	}
	if diff := cmp.Diff(want, calls); diff != "" || err != nil {
		t.Errorf("calls (-want +got), %v:\n%s", err, diff)
	}
}

// Edges are a part of their own, the last; a node's image is that of its Open vSwitch.
func TestUpgradeOfEdges(t *testing.T) {
	dir, calls, err := runOn(t, "", "../overlays/lab-edge", "nodes", "edges")
	want := append([]string{"kustomize ../overlays/lab-edge"}, pulls...)
	want = append(want,
		"apply -f nodes.yaml", "-n l2sm-system rollout status daemonset/ovn-node --timeout=60m",
		"apply -f edges.yaml", "-n l2sm-system rollout status daemonset/l2sm-edge --timeout=10m",
	)
	if diff := cmp.Diff(want, calls); diff != "" || err != nil {
		t.Errorf("calls (-want +got), %v:\n%s", err, diff)
	}
	edges := objects(t, filepath.Join(dir, "edges.yaml"))
	if diff := cmp.Diff([]string{
		"Namespace l2sm-edge", "ServiceAccount l2sm-edge", "Role l2sm-edge", "Role l2sm-edge", "ClusterRole l2sm-edge",
		"RoleBinding l2sm-edge", "RoleBinding l2sm-edge", "ClusterRoleBinding l2sm-edge", "DaemonSet l2sm-edge",
	}, edges); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"DaemonSet ovn-node"}, objects(t, filepath.Join(dir, "nodes.yaml"))); diff != "" {
		t.Error(diff)
	}
}

func TestPartsAreChosen(t *testing.T) {
	_, calls, err := run(t, "", "nodes", "agents")
	want := append([]string{"kustomize ../overlays/lab"}, pulls...)
	want = append(want,
		"apply -f nodes.yaml", "-n l2sm-system rollout status daemonset/ovn-node --timeout=60m",
		"apply -f agents.yaml", "-n l2sm-system rollout status daemonset/l2sm-agent --timeout=10m",
	)
	if diff := cmp.Diff(want, calls); diff != "" || err != nil {
		t.Errorf("calls (-want +got), %v:\n%s", err, diff)
	}
	if _, _, err := run(t, "", "everything"); err == nil {
		t.Error("a part that there is not is taken")
	}
}

// Nothing goes on after a part that failed.
func TestFailedPart(t *testing.T) {
	_, calls, err := run(t, "FAILS=rollout status deployment/ovn-central")
	if err == nil || strings.Contains(strings.Join(calls, "\n"), "agents") {
		t.Errorf("it went on (%v):\n%s", err, strings.Join(calls, "\n"))
	}
}

// A node loses its Open vSwitch only where the next one's image is.
func TestImageThatNodesCannotGet(t *testing.T) {
	dir, calls, err := run(t, "FAILS=daemonset/ovn-node-image", "nodes")
	if diff := cmp.Diff(append([]string{"kustomize ../overlays/lab"}, pulls...), calls); diff != "" || err == nil {
		t.Errorf("calls (-want +got), %v:\n%s", err, diff)
	}
	text, readErr := os.ReadFile(filepath.Join(dir, "pull.yaml"))
	if readErr != nil || !strings.Contains(string(text), "image: localhost/l2sm-ovn:dev\n") {
		t.Errorf("pulled is %s (%v)", text, readErr)
	}
}

// objects are kind and name of each of a file.
func objects(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var o metav1.PartialObjectMetadata
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.Kind != "" {
			all = append(all, o.Kind+" "+o.Name)
		}
	}
}
