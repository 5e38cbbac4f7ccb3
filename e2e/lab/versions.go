package lab

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// KubernetesVersions are the minor versions of Kubernetes that a cluster of this checkout may have, and the one that it has
// by default: that of go.mod. Each other one has a file of its own beside it, 1.34.mod for 1.34.
func KubernetesVersions(repository string) (all []string, byDefault string, err error) {
	usual, err := kubernetesModule.locate("", repository)
	if err != nil {
		return nil, "", err
	}
	byDefault = minor(usual.version)
	others, err := filepath.Glob(filepath.Join(usual.source, "*.*.mod"))
	if err != nil {
		return nil, "", err
	}
	all = []string{byDefault}
	for _, file := range others {
		all = append(all, strings.TrimSuffix(filepath.Base(file), ".mod"))
	}
	slices.Sort(all) // all are 1.XX
	return all, byDefault, nil
}

// minor is v1.36.3 as 1.36.
func minor(version string) string {
	number := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(number[:min(2, len(number))], ".")
}

// kubernetesOf is the module of a minor version; empty for the default one.
func kubernetesOf(repository, version string) (module, error) {
	all, byDefault, err := KubernetesVersions(repository)
	m := kubernetesModule
	switch {
	case err != nil:
		return m, err
	case version == "" || version == byDefault:
		return m, nil
	case !slices.Contains(all, version):
		return m, fmt.Errorf("no Kubernetes %q: there are %s (e2e/lab/build/kubernetes/generate.sh makes another)", version, strings.Join(all, ", "))
	}
	m.modfile = version + ".mod"
	return m, nil
}
