//go:build integration

package charts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

var (
	section    = regexp.MustCompile(`(?ms)^## (.*?)$(.*?)(?:\z|^## )`)
	shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
)

// The commands of pages that install are run as they stand there, those of each section
// on an API server of their own: what the API refuses, or kubectl or helm do not
// understand, fails. There are no nodes; e2e/steps.sh lets the chart's pods ping.
func TestInstallPages(t *testing.T) {
	for page, least := range map[string]int{"install.md": 5, "fabrics.md": 2, "ovn-kubernetes.md": 2} {
		t.Run(page, func(t *testing.T) {
			if ran := runPage(t, page); ran < least {
				t.Errorf("ran %d blocks, want at least %d: were they found?", ran, least)
			}
		})
	}
}

// runPage returns how many blocks of the page it has run.
func runPage(t *testing.T, page string) (ran int) {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	for rest := string(text); ; {
		at := section.FindStringSubmatchIndex(rest)
		if at == nil {
			return ran
		}
		title, body := rest[at[2]:at[3]], rest[at[4]:at[5]]
		rest = rest[at[5]:]
		blocks := shellBlock.FindAllStringSubmatch(body, -1)
		if len(blocks) == 0 {
			continue
		}
		t.Run(title, func(t *testing.T) {
			script := "set -ex\n"
			for _, block := range blocks {
				script += block[1]
			}
			out := run(t, script)
			for _, want := range []string{"l2networks.l2sm.io", "l2sm-controller"} {
				if !strings.Contains(out, want) {
					t.Errorf("the section's commands do not install %s", want)
				}
			}
			t.Logf("%s", out)
		})
		ran += len(blocks)
	}
}

// run runs a script in a copy of the files that it needs, with helm, kubectl and a
// new API server, and returns what it said and what is there then.
func run(t *testing.T, script string) string {
	t.Helper()
	env := &envtest.Environment{}
	if _, err := env.Start(); err != nil {
		t.Fatalf("start kube-apiserver and etcd: %v; KUBEBUILDER_ASSETS must name the folder of their binaries, and `make test` sets it", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	home := t.TempDir()
	for _, folder := range []string{"charts", "manifests"} {
		if err := os.CopyFS(filepath.Join(home, folder), os.DirFS(filepath.Join("..", folder))); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(home, "bin")
	for name, program := range map[string]string{"helm": program(t, "helm"), "kubectl": filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")} {
		if err := os.MkdirAll(bin, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig := filepath.Join(home, "kubeconfig")
	if err := os.WriteFile(kubeconfig, env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script+"kubectl get crds,deployments,daemonsets -A -o name\n")
	cmd.Dir = home
	cmd.Env = append(os.Environ(), fmt.Sprintf("PATH=%s:%s", bin, os.Getenv("PATH")), "KUBECONFIG="+kubeconfig, "HOME="+home,
		"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
