package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"l2sm.io/l2sm/e2e/lab/node"
)

func TestPrepareNodeForOVNKubernetes(t *testing.T) {
	l := newTestLab(t)
	l.state.MainCNI, l.state.MainCNIPrograms = "ovn-kubernetes", t.TempDir()
	for _, file := range []string{
		filepath.Join(l.state.CNI, "multus"), filepath.Join(l.state.MainCNIPrograms, "ovn-k8s-cni-overlay"),
		filepath.Join(l.state.MainCNIPrograms, "checksums"), filepath.Join(l.state.MainCNIPrograms, "ovnkube"),
	} {
		if err := os.WriteFile(file, []byte("program"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n := l.plan.Nodes[0]
	if err := l.prepareNode(n); err != nil {
		t.Fatal(err)
	}
	f := l.folder(n)
	bin := filepath.Join(f.Disk("/opt/cni"), "bin")

	var multus struct {
		Delegates []struct{ Plugins []struct{ Type string } }
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(f.Disk("/etc/cni"), "net.d", "00-multus.conf")), &multus); err != nil {
		t.Fatal(err)
	}
	if len(multus.Delegates) != 1 || len(multus.Delegates[0].Plugins) != 2 {
		t.Fatalf("Multus' delegates are %+v", multus.Delegates)
	}
	for _, p := range multus.Delegates[0].Plugins {
		readFile(t, filepath.Join(bin, p.Type)) // what the main network calls is there
	}
	if _, err := os.Stat(filepath.Join(bin, "ovnkube")); err == nil {
		t.Error("a daemon lies among the plugins")
	}
	var init node.Config
	if err := json.Unmarshal(readFile(t, f.Config("init.json")), &init); err != nil {
		t.Fatal(err)
	}
	if init.Services {
		t.Error("kube-proxy runs beside OVN-Kubernetes, which does its work")
	}
}

// A typing error, and what does not go together, are told before anything is built or removed.
func TestMainCNIThatIsNot(t *testing.T) {
	cases := map[string]struct {
		options Options
		want    string
	}{
		"Unknown":       {Options{MainCNI: "calico"}, "ovn-kubernetes, ptp"},
		"WithoutMultus": {Options{MainCNI: "ovn-kubernetes", NoMultus: true}, "--no-multus"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.options.Name, c.options.Nodes = "dev", 1
			_, err := Up(t.Context(), c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}
