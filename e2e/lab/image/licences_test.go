package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestLicences(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "l2sm")
	if out, err := exec.Command("go", "build", "-o", plugin, "l2sm.io/l2sm/cmd/cni").CombinedOutput(); err != nil {
		t.Fatalf("build the CNI plugin: %v\n%s", err, out)
	}
	texts, err := Licences(plugin)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"go/LICENSE", "modules/github.com/containernetworking/cni/LICENSE"} {
		if len(texts["/usr/share/doc/l2sm/"+want]) == 0 {
			t.Errorf("no %s in the image", want)
		}
	}
	if _, err := Licences(program(t, "no Go")); err == nil {
		t.Error("what is linked into a program is not known, and that is no error")
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "README"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := takeLicences(map[string][]byte{}, empty, "/"); err == nil || !strings.Contains(err.Error(), empty) {
		t.Errorf("a module without a licence is not named: %v", err)
	}
}
