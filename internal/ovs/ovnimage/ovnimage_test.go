package ovnimage

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A later layer's file counts, and what is no image of one is an error that names it.
func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	script := `set -e; cd "$1"
mkdir one two; echo old > one/file; echo kept > one/other; echo new > two/file
for l in one two; do tar -C $l -cf $l.tar .; done
echo '[{"Layers":["one.tar","two.tar"]}]' > manifest.json; tar -cf image.tar manifest.json one.tar two.tar
echo '[]' > manifest.json; tar -cf none.tar manifest.json`
	if out, err := exec.Command("bash", "-c", script, "make", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	to := filepath.Join(dir, "to")
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Unpack(filepath.Join(dir, "image.tar"), to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"file": "new\n", "other": "kept\n"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	for _, image := range []string{"none.tar", "missing.tar"} {
		if err := Unpack(filepath.Join(dir, image), to); err == nil || !strings.Contains(err.Error(), image) {
			t.Errorf("%s: got error %v, want one that names it", image, err)
		}
	}
}
