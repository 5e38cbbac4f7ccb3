//go:build kernel

package kernel_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"l2sm.io/l2sm/e2e/kernel/node"
	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/internal/link/nstest"
)

// patience is how long a test waits for what must happen.
var patience = nstest.Patience(10 * time.Second)

// first and second are the nodes. Each holds its InternalIPs, and others first: the kernel would choose those.
var (
	addresses = map[string][]string{
		first:  {"172.30.98.1/23", "172.30.99.1/23", "fd99::1:1/64", "fd99::1/64"},
		second: {"172.30.98.2/23", "172.30.99.2/23", "fd99::1:2/64", "fd99::2/64"},
	}
	internalIPs = map[string][]string{first: {"172.30.99.1", "fd99::1"}, second: {"172.30.99.2", "fd99::2"}}
	gateways    = []string{"172.30.99.254/23", "fd99::fe/64"}
)

const (
	first  = "n1"
	second = "n2"
)

// machine is what all nodes share.
type machine struct {
	repository string
	settings   map[string]string
	underlay   node.Underlay
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	repository, err := lab.Repository()
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{repository: repository, settings: settings(t, filepath.Join(repository, "manifests", "default", "settings.env"))}
	m.underlay = node.Underlay{MTU: number(t, m.settings["UNDERLAY_MTU"]), Gateways: gateways}
	if err := m.underlay.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The agent's image has these programs and nothing else.
	for _, program := range []string{"l2sm-agent", "l2sm"} {
		if err := os.Symlink(filepath.Join(repository, "bin", program), "/usr/bin/"+program); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// settings are those of the manifests, and what the environment says instead.
func settings(t *testing.T, file string) map[string]string {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	all := map[string]string{}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		all[key] = value
		if other := os.Getenv(key); other != "" {
			all[key] = other
		}
	}
	return all
}

func number(t *testing.T, text string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatalf("%q is no number: %v", text, err)
	}
	return n
}

// template is a DaemonSet's pod with the settings.
func (m *machine) template(t *testing.T, part, image string, env map[string]string) node.Template {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.repository, "manifests", part, "daemonset.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	set := &appsv1.DaemonSet{}
	if err := yaml.UnmarshalStrict(text, set); err != nil {
		t.Fatal(err)
	}
	return node.Template{
		Spec: set.Spec.Template.Spec, Image: image, Env: env,
		Settings: map[string]map[string]string{"l2sm-settings": m.settings},
		Folders:  map[string]string{"scripts": filepath.Join(m.repository, "manifests", part, "scripts")},
	}
}

func (m *machine) node(t *testing.T, name string) *node.Node {
	t.Helper()
	n, err := m.underlay.New(t.Context(), name, internalIPs[name], addresses[name]...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// within bounds what one step may take.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
