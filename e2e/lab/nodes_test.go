package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/e2e/lab/node"
)

// newTestLab is a cluster of two nodes that exists only as files.
func newTestLab(t *testing.T) *Lab {
	t.Helper()
	p, err := newPlan("dev", 2)
	if err != nil {
		t.Fatal(err)
	}
	l := &Lab{plan: p, dir: t.TempDir(), state: state{Nodes: 2, CNI: t.TempDir(), Kubernetes: "/programs", Runtime: DefaultRuntime, MainCNI: DefaultMainCNI}}
	if err := os.Mkdir(l.path("pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.writeCredentials(); err != nil {
		t.Fatal(err)
	}
	return l
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPrepareNode(t *testing.T) {
	l := newTestLab(t)
	if err := os.WriteFile(filepath.Join(l.state.CNI, "multus"), []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	n := l.plan.Nodes[1]
	if err := l.prepareNode(n); err != nil {
		t.Fatal(err)
	}
	f := l.folder(n)

	t.Run("Kubelet", func(t *testing.T) {
		var got struct {
			Address    string
			CgroupRoot string
			ResolvConf string
			TLSKey     string `json:"tlsPrivateKeyFile"`
			StaticPods string `json:"staticPodPath"`
		}
		if err := yaml.Unmarshal(readFile(t, f.Config("kubelet.yaml")), &got); err != nil {
			t.Fatal(err)
		}
		if got.Address != n.IP || got.CgroupRoot != "/dev-n2" {
			t.Errorf("the kubelet serves at %q in control group %q, want %q and /dev-n2", got.Address, got.CgroupRoot, n.IP)
		}
		if _, err := os.ReadDir(f.Disk(got.StaticPods)); err != nil {
			t.Errorf("the kubelet watches a folder for static pods that is not there: %v", err)
		}
		for _, file := range []string{got.ResolvConf, got.TLSKey} {
			readFile(t, file) // the kubelet finds what it is told of
		}
	})

	t.Run("Multus", func(t *testing.T) {
		var got struct {
			Kubeconfig string
			Delegates  []struct {
				Plugins []struct {
					Type string
					IPAM struct{ Ranges [][]struct{ Subnet string } }
				}
			}
		}
		if err := json.Unmarshal(readFile(t, filepath.Join(f.Disk("/etc/cni"), "net.d", "00-multus.conf")), &got); err != nil {
			t.Fatal(err)
		}
		readFile(t, got.Kubeconfig)
		// Multus 4.2.3 forgets the ranges of a delegate that is not written out here.
		if subnet := got.Delegates[0].Plugins[0].IPAM.Ranges[0][0].Subnet; subnet != n.PodCIDR {
			t.Errorf("pods get addresses of %q, want %q", subnet, n.PodCIDR)
		}
	})

	t.Run("Plugins", func(t *testing.T) {
		if got := readFile(t, filepath.Join(f.Disk("/opt/cni"), "bin", "multus")); string(got) != "program" {
			t.Errorf("the node's plugin is %q", got)
		}
	})

	t.Run("Init", func(t *testing.T) {
		var got node.Config
		if err := json.Unmarshal(readFile(t, f.Config("init.json")), &got); err != nil {
			t.Fatal(err)
		}
		want := node.Config{
			Name: "n2", IP: n.IP, Programs: "/programs", Logs: l.path("log"), API: "https://10.250.0.1:6443",
			CA: readFile(t, l.path("pki", "ca.crt")),
			Runtime: node.Runtime{
				Name: "containerd", Socket: "/run/containerd/containerd.sock",
				Argv: []string{"containerd", "--config", f.Config("containerd.toml")},
			},
			Services: true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("configuration of PID 1 (-want +got):\n%s", diff)
		}
	})
}

func TestPrepareNodeWithoutMultus(t *testing.T) {
	l := newTestLab(t)
	l.state.NoMultus = true
	n := l.plan.Nodes[0]
	if err := l.prepareNode(n); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(l.folder(n).Disk("/etc/cni"), "net.d")
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("the runtime finds %v (error %v), want the main network alone", files, err)
	}
	var got struct {
		Plugins []struct{ Type string }
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(folder, "00-main.conflist")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Plugins) != 2 || got.Plugins[0].Type != "ptp" {
		t.Errorf("the main network is %+v", got)
	}
}
