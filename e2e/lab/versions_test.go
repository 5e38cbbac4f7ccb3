package lab

import (
	"slices"
	"strings"
	"testing"
)

// The module files of this checkout are what `up --kubernetes` takes, each with a version that agrees with its name.
func TestKubernetesVersions(t *testing.T) {
	repository, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	all, byDefault, err := KubernetesVersions(repository)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(all, byDefault) || !slices.IsSorted(all) || len(all) < 2 {
		t.Errorf("versions %v, default %q: want them sorted, the default among them", all, byDefault)
	}
	dirs := map[string]string{}
	for _, version := range all {
		m, err := kubernetesOf(repository, version)
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.locate("/cache", repository)
		if err != nil {
			t.Fatal(err)
		}
		if minor(b.version) != version {
			t.Errorf("Kubernetes %s is built from %s", version, b.version)
		}
		if other, taken := dirs[b.dir]; taken {
			t.Errorf("the programs of %s and %s are in one folder", version, other)
		}
		dirs[b.dir] = version
	}
	if _, err := kubernetesOf(repository, "1.2"); err == nil || !strings.Contains(err.Error(), byDefault) {
		t.Errorf("an unknown version returns %v, want an error that says which there are", err)
	}
}
