package lab

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goProxy is a module proxy in a folder, with one version of each module.
func goProxy(t *testing.T, modules ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, path := range modules {
		folder := filepath.Join(dir, path, "@v")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		goMod := "module " + path + "\n"
		var archive bytes.Buffer
		w := zip.NewWriter(&archive)
		for name, content := range map[string]string{"go.mod": goMod, "x.go": "package x\n"} {
			file, err := w.Create(path + "@v1.0.0/" + name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(file, content)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{
			"v1.0.0.info": `{"Version":"v1.0.0"}`, "v1.0.0.mod": goMod, "v1.0.0.zip": archive.String(),
		} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// twoModules are the builds of two modules that share one dependency, with an empty cache of the go command.
func twoModules(t *testing.T, proxy string) []build {
	t.Helper()
	cache := t.TempDir()
	t.Setenv("GOMODCACHE", cache)
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GONOSUMDB", "*")
	t.Cleanup(func() { // the go command makes it read-only
		if out, err := exec.Command("go", "clean", "-modcache").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	repository := newRepository(t, map[string]string{
		"e2e/lab/build/cni/go.mod": "module a\n\ngo 1.26.0\n\nrequire (\n\texample.com/shared v1.0.0\n\texample.com/Old v0.0.0\n)\n\n" +
			"replace example.com/Old => example.com/new v1.0.0\n",
		"e2e/lab/build/coredns/go.mod": "module b\n\ngo 1.26.0\n\nrequire example.com/shared v1.0.0\n",
	})
	var builds []build
	for _, m := range []module{cniModule, corednsModule} {
		b, err := m.locate(Cache(t.TempDir()), repository)
		if err != nil {
			t.Fatal(err)
		}
		builds = append(builds, b)
	}
	return builds
}

func TestDownload(t *testing.T) {
	builds := twoModules(t, goProxy(t, "example.com/shared", "example.com/new"))
	var log bytes.Buffer
	if err := download(t.Context(), newProgress(&log), builds); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "downloading 2 Go modules") {
		t.Errorf("the log says %q, want the number of modules, each once and as it is replaced", log.String())
	}
	log.Reset()
	if err := download(t.Context(), newProgress(&log), builds); err != nil || log.Len() > 0 {
		t.Errorf("a second download returns %v and says %q, want nothing to do", err, log.String())
	}
}

// The error names the step, for which programs it is, and what can be done.
func TestDownloadFails(t *testing.T) {
	builds := twoModules(t, goProxy(t, "example.com/shared"))
	err := download(t.Context(), newProgress(&bytes.Buffer{}), builds)
	if err == nil {
		t.Fatal("a module that the proxy lacks is no error")
	}
	for _, want := range []string{"download", cniModule.title, "example.com/new", "GOPROXY"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}
