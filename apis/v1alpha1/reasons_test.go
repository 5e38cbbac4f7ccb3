package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReasonsAreDocumented: docs/reasons.md is the one table of what users read
// as the reason of a condition or an event. Each reason of the API stands in it
// once, in the order of the alphabet, and no other does.
func TestReasonsAreDocumented(t *testing.T) {
	declared := map[string]int{}
	for _, file := range []string{"conditions.go", "conditions_stretch.go", "events.go"} {
		for _, reason := range reasonsIn(t, file) {
			declared[reason] = 1
		}
	}
	documented, listed := map[string]int{}, []string{}
	for _, row := range reasonRows(t, "../../docs/reasons.md") {
		documented[row[0]]++
		listed = append(listed, row[0])
		for i, cell := range row {
			if cell == "" {
				t.Errorf("docs/reasons.md, %s: cell %d is empty", row[0], i+1)
			}
		}
	}
	if diff := cmp.Diff(declared, documented); diff != "" {
		t.Errorf("reasons: -apis, +docs/reasons.md:\n%s", diff)
	}
	for i := 1; i < len(listed); i++ {
		if strings.ToLower(listed[i-1]) > strings.ToLower(listed[i]) {
			t.Errorf("docs/reasons.md: %s stands before %s", listed[i-1], listed[i])
		}
	}
}

// TestEventReasonsAreConstants: a reason that is written where it is used would
// escape TestReasonsAreDocumented.
func TestEventReasonsAreConstants(t *testing.T) {
	for _, file := range []string{"conditions.go", "conditions_stretch.go", "events.go"} {
		ast.Inspect(parse(t, file), func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			reason := map[string]int{"warning": 0, "condition": 2, "AttachmentRefused": 0, "AttachmentNotReady": 0, "NotProgrammed": 0, "NetworkNotStretched": 0, "EdgeNotReady": 0}
			name, ok := call.Fun.(*ast.Ident)
			if !ok {
				return true
			}
			at, ok := reason[name.Name]
			if !ok {
				return true
			}
			if literal, ok := call.Args[at].(*ast.BasicLit); ok {
				t.Errorf("%s: %s takes the reason %s; make it a constant Reason...", file, name.Name, literal.Value)
			}
			return true
		})
	}
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// reasonsIn are the values of a file's constants that are called Reason*.
func reasonsIn(t *testing.T, file string) (all []string) {
	t.Helper()
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if !strings.HasPrefix(name.Name, "Reason") {
				continue
			}
			literal, ok := spec.Values[i].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s: %s is no literal", file, name.Name)
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, value)
		}
		return true
	})
	if len(all) == 0 {
		t.Fatalf("%s declares no reason", file)
	}
	return all
}

var reasonRow = regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|([^|]*)\\|([^|]*)\\|([^|]*)\\|$")

// reasonRows are the cells of the table's rows.
func reasonRows(t *testing.T, file string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range reasonRow.FindAllStringSubmatch(string(text), -1) {
		var cells []string
		for _, cell := range row[1:] {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows
}
