package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newRepository is a checkout that holds nothing but the given files.
func newRepository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLocate(t *testing.T) {
	locate := func(t *testing.T, goMod, main string) build {
		t.Helper()
		b, err := kubernetesModule.locate("/cache", newRepository(t, map[string]string{
			"e2e/lab/build/kubernetes/go.mod":  goMod,
			"e2e/lab/build/kubernetes/main.go": main,
		}))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const goMod = "module x\n\nrequire k8s.io/kubernetes v1.36.3\n"
	first := locate(t, goMod, "package main")

	if want := "/cache/programs/kubernetes-v1.36.3-"; !strings.HasPrefix(first.dir, want) {
		t.Errorf("programs go to %q, want the version in it: %s...", first.dir, want)
	}
	if again := locate(t, goMod, "package main"); again.dir != first.dir {
		t.Errorf("the same sources are built twice: %q and %q", first.dir, again.dir)
	}
	if other := locate(t, goMod, "package main // changed"); other.dir == first.dir {
		t.Error("a change of main.go is not built")
	}
	if other := locate(t, goMod+"require k8s.io/kubectl v0.36.3\n", "package main"); other.dir == first.dir {
		t.Error("a change of a dependency is not built")
	}
	if flags := first.linkerFlags(); !strings.Contains(flags, "gitVersion=v1.36.3") || !strings.Contains(flags, "gitMinor=36") {
		t.Errorf("Kubernetes does not learn its version: %s", flags)
	}
}

// The modules of this repository are what the lab builds.
func TestModulesExist(t *testing.T) {
	repository, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []module{kubernetesModule, cniModule, containerdModule, crioModule, corednsModule} {
		b, err := m.locate("/cache", repository)
		if err != nil {
			t.Fatal(err)
		}
		if b.version == "" {
			t.Errorf("go.mod of %s does not name %s: its programs would have no version", m.name, m.from)
		}
	}
}
