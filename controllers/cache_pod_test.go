package controllers

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestKeepPod(t *testing.T) {
	now := metav1.Now()
	asks := map[string]string{v1alpha1.NetworksAnnotation: "lab", nadv1.NetworkStatusAnnot: "[]", nadv1.NetworkAttachmentAnnot: ""}
	cases := map[string]struct {
		reason    string
		pod, want corev1.Pod
	}{
		"All": {
			"what the controllers read stays, an empty annotation too",
			corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: "default", Name: "ping", UID: "uid", ResourceVersion: "7", DeletionTimestamp: &now,
					Annotations: map[string]string{
						v1alpha1.NetworksAnnotation: "lab", nadv1.NetworkStatusAnnot: "[]", nadv1.NetworkAttachmentAnnot: "", "other": "x",
					},
					Labels: map[string]string{"app": "ping"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}},
				},
				Spec:   corev1.PodSpec{NodeName: "node-a", HostNetwork: true, Containers: []corev1.Container{{Name: "c"}}},
				Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1"},
			},
			corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", UID: "uid", ResourceVersion: "7", DeletionTimestamp: &now, Annotations: asks},
				Spec:       corev1.PodSpec{NodeName: "node-a", HostNetwork: true},
				Status:     corev1.PodStatus{Phase: corev1.PodRunning},
			},
		},
		"Plain": {
			"a pod that asks for nothing has no map",
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", Annotations: map[string]string{"other": "x"}}},
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kept := keptOf(t, &tc.pod)
			if diff := cmp.Diff(&tc.want, kept.Expand()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			again, err := keepPod(kept)
			if err != nil || again != any(kept) {
				t.Errorf("an informer may transform twice: got %v, %v", again, err)
			}
			meta := kept.GetObjectMeta()
			if meta.GetNamespace() != tc.want.Namespace || meta.GetName() != tc.want.Name || meta.GetResourceVersion() != tc.want.ResourceVersion {
				t.Errorf("the informer reads %v", meta)
			}
		})
	}
}

func keptOf(t *testing.T, pod *corev1.Pod) *keptPod {
	t.Helper()
	kept, err := keepPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	return kept.(*keptPod)
}

// Every field of pods that the code reads is one that the cache keeps: any other
// is empty in each pod, whatever the API has.
func TestKeptPodHasWhatIsRead(t *testing.T) {
	kept := keptFields(t)
	read := podFieldsRead(t, ".", "../internal/admission", "../internal/attach", "../internal/multus", "../internal/topology")
	if len(read) < 5 {
		t.Fatalf("found %v only", read)
	}
	for field, where := range read {
		if !slices.Contains(kept, field) {
			t.Errorf("%s: %s is read, and keepPod does not keep it", where, field)
		}
	}
}

// keptFields are the fields that come back out of the cache, as "Spec.NodeName".
func keptFields(t *testing.T) []string {
	t.Helper()
	var kept []string
	pod := reflect.TypeFor[corev1.Pod]()
	for _, part := range []string{"ObjectMeta", "Spec", "Status"} {
		within, _ := pod.FieldByName(part)
		for field := range within.Type.Fields() {
			filled := &corev1.Pod{}
			reflect.ValueOf(filled).Elem().FieldByName(part).FieldByName(field.Name).Set(nonzero(field.Type))
			back := reflect.ValueOf(keptOf(t, filled).Expand()).Elem().FieldByName(part).FieldByName(field.Name)
			if !back.IsZero() {
				kept = append(kept, part+"."+field.Name)
			}
		}
	}
	return kept
}

// nonzero is a value that is not zero.
func nonzero(of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	switch of.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Pointer:
		v.Set(reflect.New(of.Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(of, 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(of))
		v.SetMapIndex(reflect.ValueOf(podAnnotations[0]).Convert(of.Key()), nonzero(of.Elem()))
	}
	return v
}

// podFieldsRead are the fields of pods that packages name, each with a place.
func podFieldsRead(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	exports := importer.ForCompiler(files, "gc", exportsOf(t, folders))
	read := map[string]string{}
	for _, folder := range folders {
		info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
		if _, err := (&types.Config{Importer: exports}).Check(folder, files, parse(t, files, folder), info); err != nil {
			t.Fatal(err)
		}
		for expr, s := range info.Selections {
			if field := podField(s); field != "" {
				read[field] = files.Position(expr.Pos()).String()
			}
		}
	}
	return read
}

// podField is empty for what is no field of a pod.
func podField(s *types.Selection) string {
	recv := strings.TrimPrefix(s.Recv().String(), "*")
	part, of := strings.CutPrefix(recv, "k8s.io/api/core/v1.Pod")
	name := s.Obj().Name()
	switch {
	case !of:
		return ""
	case part == "Spec" || part == "Status":
		return part + "." + name
	case part == "" && s.Kind() == types.MethodVal && strings.HasPrefix(name, "Get"):
		return metaField(strings.TrimPrefix(name, "Get"))
	case part == "" && len(s.Index()) == 2: // of an embedded struct
		return metaField(name)
	default:
		return ""
	}
}

func metaField(name string) string {
	if _, has := reflect.TypeFor[metav1.ObjectMeta]().FieldByName(name); !has {
		return ""
	}
	return "ObjectMeta." + name
}

func parse(t *testing.T, files *token.FileSet, folder string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, file)
	}
	return all
}

// exportsOf opens what the compiler has said of the packages that folders
// import.
func exportsOf(t *testing.T, folders []string) importer.Lookup {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, folders...)
	for i, folder := range folders {
		args[len(args)-len(folders)+i] = "./" + folder
	}
	list := exec.CommandContext(t.Context(), "go", args...)
	var said bytes.Buffer
	list.Stderr = &said
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, said.String())
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, has := strings.Cut(strings.TrimSpace(line), " "); has {
			exports[path] = file
		}
	}
	return func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	}
}
