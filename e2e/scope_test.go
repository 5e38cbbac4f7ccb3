package e2e

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// labOnly begins the comment of a file whose scenarios run on the local cluster
// alone, and says why other clusters are spared.
const labOnly = "Lab only: "

// needsMultus begins the comment of a file whose scenarios ask by Multus' own
// annotation, which not every cluster has.
const needsMultus = "Needs Multus."

// scope is which scenarios other clusters are checked by, and why not by the rest.
type scope struct {
	checked []string
	// multus are those of them that need it.
	multus []string
	// spared are scenarios by the reason.
	spared map[string][]string
	// unexplained are files that have no reason.
	unexplained []string
}

// readScope reads the scenarios' files in a folder, by their build constraints.
func readScope(dir string) (scope, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return scope{}, err
	}
	s := scope{spared: map[string][]string{}}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return scope{}, fmt.Errorf("read scenarios: %w", err)
		}
		tests := scenarios(file)
		if len(tests) == 0 || !selected(file, "e2e") {
			continue
		}
		switch reason, _ := comment(file, labOnly); {
		case selected(file, "conformance"):
			s.checked = append(s.checked, tests...)
			if _, needs := comment(file, needsMultus); needs {
				s.multus = append(s.multus, tests...)
			}
		case reason == "":
			s.unexplained = append(s.unexplained, filepath.Base(name))
		default:
			s.spared[reason] = append(s.spared[reason], tests...)
		}
	}
	return s, nil
}

// selected says whether the file is one for builds with the tag, and no other.
func selected(file *ast.File, tag string) bool {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if expression, err := constraint.Parse(c.Text); err == nil {
				return expression.Eval(func(t string) bool { return t == tag })
			}
		}
	}
	return false
}

func scenarios(file *ast.File) []string {
	var names []string
	for _, d := range file.Decls {
		if f, is := d.(*ast.FuncDecl); is && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

// comment is what follows a beginning of one of the file's comments.
func comment(file *ast.File, beginning string) (rest string, found bool) {
	for _, group := range file.Comments {
		if rest, found := strings.CutPrefix(group.Text(), beginning); found {
			return strings.Join(strings.Fields(rest), " "), true
		}
	}
	return "", false
}

// spare takes scenarios out of those that are checked.
func (s *scope) spare(reason string, names []string) {
	s.checked = slices.DeleteFunc(s.checked, func(n string) bool { return slices.Contains(names, n) })
	s.spared[reason] = append(s.spared[reason], names...)
}

// tell prints what was checked and what was not.
func (s scope) tell(out io.Writer) {
	fmt.Fprintf(out, "\nchecked by %d scenarios: %s\n", len(s.checked), strings.Join(slices.Sorted(slices.Values(s.checked)), ", "))
	fmt.Fprintln(out, "\nnot checked here, but on the local cluster (make test-e2e):")
	for _, reason := range slices.Sorted(maps.Keys(s.spared)) {
		fmt.Fprintf(out, "  %s: %s\n", reason, strings.Join(s.spared[reason], ", "))
	}
}

// Each scenario is in the selection for other clusters, or says why it is not.
func TestScope(t *testing.T) {
	s, err := readScope(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range s.unexplained {
		t.Errorf("%s is not selected for other clusters (tag conformance) and has no comment %q", file, labOnly)
	}
	if !slices.Contains(s.multus, "TestMultusAnnotationAlone") {
		t.Errorf("what needs Multus is %v", s.multus)
	}
	s.spare("no Multus", s.multus)
	for _, name := range s.multus {
		if slices.Contains(s.checked, name) {
			t.Errorf("%s is checked without Multus", name)
		}
	}
	for _, name := range []string{"TestPingPongAcrossNodes", "TestHotAttachByObject"} {
		if !slices.Contains(s.checked, name) {
			t.Errorf("other clusters are not checked by %s, but by %v", name, s.checked)
		}
	}
	var out strings.Builder
	s.tell(&out)
	if !strings.Contains(out.String(), "TestNodeKilledAndBack") {
		t.Errorf("it does not tell what is not checked:\n%s", out.String())
	}
}
