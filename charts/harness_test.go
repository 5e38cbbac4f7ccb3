package charts_test

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// noteFiles opens what helm and kustomize will: the go command takes an earlier
// result for a test while the files that the test itself opened are the same.
var noteFiles = sync.OnceValue(func() error {
	for _, folder := range []string{".", "../manifests"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				_, err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
})

// programs are go.tools.mod's, where the go command keeps what it built of them. One
// at a time: it builds a program as often as it is asked for before it is there.
var programs = struct {
	sync.Mutex
	paths map[string]string
}{paths: map[string]string{}}

func program(t *testing.T, name string) string {
	t.Helper()
	programs.Lock()
	defer programs.Unlock()
	if programs.paths[name] == "" {
		path, err := exec.CommandContext(t.Context(), "go", "tool", "-n", "-modfile=../go.tools.mod", name).Output()
		if err != nil {
			t.Fatalf("build %s, a tool of go.tools.mod: %v", name, err)
		}
		programs.paths[name] = strings.TrimSpace(string(path))
	}
	return programs.paths[name]
}

// tool runs one of go.tools.mod's programs and returns what it printed.
func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	if err := noteFiles(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program(t, name), args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", errors.Join(err, errors.New(out.String()+errs.String()))
	}
	return out.String(), nil
}

// object is what Kubernetes names an object by.
type object struct{ apiVersion, kind, namespace, name string }

// objects are those of a stream of YAML.
func objects(t *testing.T, text string) map[object]map[string]any {
	t.Helper()
	all := map[object]map[string]any{}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.Object == nil {
			continue
		}
		key := object{o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName()}
		if all[key] != nil {
			t.Errorf("%v is there twice", key)
		}
		sortVolumes(o.Object)
		all[key] = o.Object
	}
}

// sortVolumes orders a pod's volumes, whose order means nothing: kustomize puts
// those first that a patch names.
func sortVolumes(o map[string]any) {
	volumes, _, _ := unstructured.NestedSlice(o, "spec", "template", "spec", "volumes")
	if len(volumes) == 0 {
		return
	}
	slices.SortFunc(volumes, func(a, b any) int {
		return cmp.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
	})
	_ = unstructured.SetNestedSlice(o, volumes, "spec", "template", "spec", "volumes")
}

// settingsName is the settings' ConfigMap. Helm and kustomize write the hash of
// what is in it differently.
var settingsName = regexp.MustCompile(`l2sm-settings-[0-9a-z]{10}\b`)

// kustomized are the objects of a kustomization.
func kustomized(t *testing.T, folder string) map[object]map[string]any {
	t.Helper()
	text, err := tool(t, "kustomize", "build", folder)
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, settingsName.ReplaceAllString(text, "l2sm-settings-HASH"))
}

// rendered are the objects that helm would install, without the test's.
func rendered(t *testing.T, args ...string) map[object]map[string]any {
	t.Helper()
	text, err := tool(t, "helm", append([]string{"template", "l2sm", "l2sm", "--skip-tests"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, settingsName.ReplaceAllString(text, "l2sm-settings-HASH"))
}
