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

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/compact"
)

// fieldsKept are the kinds that the cache keeps a part of, by the names of their
// types. The parts of our own but for their metadata are kept whole, as is the
// config of the definitions that it is read of.
var fieldsKept = map[string]struct {
	object    client.Object
	transform toolscache.TransformFunc
	parts     []string
}{
	"k8s.io/api/core/v1.Pod":                  {&corev1.Pod{}, keepPod, []string{"ObjectMeta", "Spec", "Status"}},
	"l2sm.io/l2sm/apis/v1alpha1.L2Network":    {&v1alpha1.L2Network{}, keepNetwork, []string{"ObjectMeta"}},
	"l2sm.io/l2sm/apis/v1alpha1.L2Attachment": {&v1alpha1.L2Attachment{}, keepAttachment, []string{"ObjectMeta"}},
	"github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1.NetworkAttachmentDefinition": {
		&nadv1.NetworkAttachmentDefinition{}, keepDefinition, []string{"ObjectMeta"},
	},
}

// Every field that the code reads is one that the cache keeps: any other is
// empty in each object, whatever the API has.
func TestCacheKeepsWhatIsRead(t *testing.T) {
	files := token.NewFileSet()
	all := selections(t, files, ".", "../internal/admission", "../internal/attach", "../internal/multus", "../internal/topology")
	for name, kind := range fieldsKept {
		t.Run(reflect.TypeOf(kind.object).Elem().Name(), func(t *testing.T) {
			read := 0
			for expr, s := range all {
				field, is := fieldOf(s, name, kind.parts)
				if !is {
					continue
				}
				read++
				if !comesBack(t, kind.object, kind.transform, field) {
					t.Errorf("%s: %s is read, and the cache does not keep it", files.Position(expr.Pos()), strings.Join(field[:], "."))
				}
			}
			if read < 5 {
				t.Errorf("found %d fields that are read", read)
			}
		})
	}
}

// comesBack says whether a field, such as NodeName of Spec, does.
func comesBack(t *testing.T, of client.Object, transform toolscache.TransformFunc, field [2]string) bool {
	t.Helper()
	at := func(o any) reflect.Value {
		return reflect.ValueOf(o).Elem().FieldByName(field[0]).FieldByName(field[1])
	}
	filled := of.DeepCopyObject()
	at(filled).Set(nonzero(at(filled).Type()))
	kept, err := transform(filled)
	if err != nil {
		t.Fatal(err)
	}
	return !at(kept.(compact.Object).Expand()).IsZero()
}

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
	case reflect.Struct:
		if of == reflect.TypeFor[metav1.Time]() {
			v.Set(reflect.ValueOf(metav1.Now()))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(of))
		for _, key := range []string{podAnnotations[0], v1alpha1.EntryAnnotation, v1alpha1.ManagedByLabel} {
			v.SetMapIndex(reflect.ValueOf(key).Convert(of.Key()), nonzero(of.Elem()))
		}
	}
	return v
}

// fieldOf is the part and the field of a kind that is selected, of the metadata
// by a method, too.
func fieldOf(s *types.Selection, kind string, parts []string) (field [2]string, is bool) {
	part, of := strings.CutPrefix(strings.TrimPrefix(s.Recv().String(), "*"), kind)
	name := s.Obj().Name()
	switch {
	case !of:
		return field, false
	case part == "" && s.Kind() == types.MethodVal && strings.HasPrefix(name, "Get"):
		part, name = "ObjectMeta", strings.TrimPrefix(name, "Get")
	case part == "" && len(s.Index()) == 2: // of an embedded struct
		part = "ObjectMeta"
	}
	if _, has := reflect.TypeFor[metav1.ObjectMeta]().FieldByName(name); part == "ObjectMeta" && !has {
		return field, false // a method of the type's own
	}
	return [2]string{part, name}, slices.Contains(parts, part)
}

// selections are all x.y in the code of folders.
func selections(t *testing.T, files *token.FileSet, folders ...string) map[*ast.SelectorExpr]*types.Selection {
	t.Helper()
	exports := importer.ForCompiler(files, "gc", exportsOf(t, folders))
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
	for _, folder := range folders {
		if _, err := (&types.Config{Importer: exports}).Check(folder, files, parse(t, files, folder), info); err != nil {
			t.Fatal(err)
		}
	}
	return info.Selections
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
