package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	cases := map[string]struct {
		reason string
		env    map[string]string
		args   []string
		says   string
	}{
		"NoNode":   {"the caches are limited to a node", nil, nil, "--node-name is missing"},
		"SmallMTU": {"pods would get nothing", nil, []string{"--node-name=a", "--underlay-mtu=100"}, "leaves pods 42 bytes"},
		"NotAnMTU": {"a typo in the settings must not become a default", map[string]string{"UNDERLAY_MTU": "15oo"}, []string{"--node-name=a"}, "--underlay-mtu=0"},
		"AttachBy": {"a typo in the settings must not become a default", map[string]string{"ATTACH_BY": "cni"}, []string{"--node-name=a"}, "--attach-by=cni"},
		"Fabric":   {"a typo in the settings must not become a default", map[string]string{"FABRIC": "zones"}, []string{"--node-name=a"}, "--fabric=zones"},
		"Remote":   {"each node writes its own database", map[string]string{"FABRIC": "Zones", "NB_ENDPOINTS": "tcp:192.0.2.1:6641"}, []string{"--node-name=a"}, "--nb=tcp:192.0.2.1:6641: want unix:/PATH"},
		"Relative": {"where it is does not depend on where the agent starts", nil, []string{"--node-name=a", "--fabric=OVNKubernetes", "--sb=unix:sb.sock"}, "--sb=unix:sb.sock"},
		"Argument": {"there are none", nil, []string{"n1"}, "unknown command"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NODE_NAME", "")
			t.Setenv("UNDERLAY_MTU", "")
			for key, value := range tc.env {
				t.Setenv(key, value)
			}
			root := newRoot()
			root.SetArgs(tc.args)
			if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: l2sm-agent %v = %v, want an error that says %q", tc.reason, tc.args, err, tc.says)
			}
		})
	}
}

func TestHelpTeaches(t *testing.T) {
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs([]string{"--help"})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"NODE_NAME", "UNDERLAY_MTU", "CRI_ENDPOINT", "FABRIC", "NB_ENDPOINTS", "SB_ENDPOINTS", "install-cni", "--sysctl-root=/host/proc/sys"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("--help does not mention %q:\n%s", word, out.String())
		}
	}
}

func TestInstallCNI(t *testing.T) {
	dir := t.TempDir()
	plugin, installed := filepath.Join(dir, "plugin"), filepath.Join(dir, "bin", "l2sm")
	write := func(file, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(plugin, "new")
	write(installed, "old")
	write(installed+".new", "half of ne") // an earlier try was cut short
	running, err := os.Open(installed)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()

	root := newRoot()
	root.SetArgs([]string{"install-cni", "--plugin=" + plugin, "--bin-dir=" + filepath.Dir(installed)})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(installed)
	if err != nil || string(content) != "new" {
		t.Errorf("installed is %q (error %v), want the new plugin", content, err)
	}
	if info, err := os.Stat(installed); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("installed has mode %v (error %v), want 0755: the runtime runs it", info.Mode(), err)
	}
	old := make([]byte, 3)
	if _, err := running.Read(old); err != nil || string(old) != "old" {
		t.Errorf("a plugin that runs is now %q (error %v): it must be replaced, not written over", old, err)
	}
	files, err := os.ReadDir(filepath.Dir(installed))
	if err != nil || len(files) != 1 {
		t.Errorf("installing left %v (error %v)", files, err)
	}
}

func TestInstallCNIFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "l2sm"), []byte("old"), 0o755); err != nil {
		t.Fatal(err)
	}
	root := newRoot()
	root.SetArgs([]string{"install-cni", "--plugin=" + filepath.Join(dir, "none"), "--bin-dir=" + dir})
	if err := root.ExecuteContext(t.Context()); err == nil {
		t.Error("install-cni without a plugin succeeded")
	}
	if content, err := os.ReadFile(filepath.Join(dir, "l2sm")); err != nil || string(content) != "old" {
		t.Errorf("installed is %q (error %v) after a failure, want what was there", content, err)
	}
}
