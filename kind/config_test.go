package kind_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// engine is a stand-in for Docker that has the images and the network already,
// records what is run, and runs nothing: kind ends when it asks for a node's
// address.
const engine = `#!/bin/bash
case "$1 $2" in
"-v ") echo "Docker version 27.0.0, build stand-in" ;;
"info --format") echo '{"CgroupVersion": "2", "CgroupDriver": "systemd", "MemoryLimit": true, "PidsLimit": true, "CPUShares": true}' ;;
"info -f") echo overlay2 ;;
"network ls") echo network ;;
run\ *) echo "$*" >> "$CALLS" ;;
"logs -f") echo "Reached target Multi-User System" ;;
inspect\ *) [ "$2" = --type=image ] ;; # no node has an address
esac
`

// kind itself reads the configuration, refuses what it does not know, and makes
// of it what it asks its engine for: each node with the files that exist here.
func TestConfiguration(t *testing.T) {
	text, err := os.ReadFile("cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runs, out := create(t, string(text))
	if len(runs) != 3 {
		t.Fatalf("want three nodes, got %d:\n%s", len(runs), out)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		mounts := 0
		for field := range strings.FieldsSeq(run) {
			mount, is := strings.CutPrefix(field, "--volume="+root+"/")
			if !is {
				continue
			}
			mounts++
			source, _, _ := strings.Cut(mount, ":")
			if info, err := os.Stat(filepath.Join(root, source)); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s is mounted and is no file (%v)", source, err)
			}
		}
		if mounts != 3 {
			t.Errorf("want the script, its unit and the part of the kubelet's on each node, got %d mounts: %s", mounts, run)
		}
	}
}

func TestConfigurationIsReadStrictly(t *testing.T) {
	text, err := os.ReadFile("cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runs, out := create(t, strings.Replace(string(text), "kubeadmConfigPatches:", "kubeadmConfigPatch:", 1))
	if len(runs) > 0 || !strings.Contains(out, "kubeadmConfigPatch") {
		t.Errorf("a field that kind does not know is taken:\n%s", out)
	}
}

// create has kind create a cluster, and returns what it asked its engine to run.
func create(t *testing.T, config string) (runs []string, out string) {
	t.Helper()
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	for name, text := range map[string]string{"docker": engine, "cluster.yaml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=go.tools.mod", "kind", "create", "cluster", "--name", "l2sm", "--config", filepath.Join(dir, "cluster.yaml"))
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CALLS="+calls, "KUBECONFIG="+filepath.Join(dir, "kubeconfig"), "KIND_EXPERIMENTAL_PROVIDER=docker")
	text, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the stand-in for Docker runs nothing, and kind is content:\n%s", text)
	}
	lines, err := os.ReadFile(calls)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(lines)), "\n")[:strings.Count(string(lines), "\n")], string(text)
}
