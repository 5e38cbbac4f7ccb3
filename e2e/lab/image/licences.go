package image

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/module"
)

// docs is where an image has the licences of what is in it, beside Debian's own.
const docs = "/usr/share/doc/l2sm/"

// licenceFile are the names that projects give to what must go with their programs.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|copyright|patents)`)

// Licences are the licences of Go programs and of the modules that are linked into them, by their path in the image.
// Modules are in the cache of whoever built the programs.
func Licences(programs ...string) (map[string][]byte, error) {
	cache, err := goFolder("GOMODCACHE")
	if err != nil {
		return nil, err
	}
	goroot, err := goFolder("GOROOT")
	if err != nil {
		return nil, err
	}
	texts := map[string][]byte{}
	if err := takeLicences(texts, goroot, docs+"go/"); err != nil {
		return nil, err
	}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("read which modules are in %q: %w", program, err)
		}
		for _, m := range info.Deps {
			if err := moduleLicences(texts, cache, m); err != nil {
				return nil, err
			}
		}
	}
	return texts, nil
}

func moduleLicences(texts map[string][]byte, cache string, m *debug.Module) error {
	for m.Replace != nil {
		m = m.Replace
	}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return fmt.Errorf("find module %q: %w", m.Path, err)
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return fmt.Errorf("find module %q: %w", m.Path, err)
	}
	return takeLicences(texts, filepath.Join(cache, path+"@"+version), docs+"modules/"+m.Path+"/")
}

func takeLicences(texts map[string][]byte, folder, to string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("look for a licence: %w", err)
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return fmt.Errorf("read licence: %w", err)
		}
		texts[to+e.Name()] = text
		found = true
	}
	if !found {
		return fmt.Errorf("no licence in %q: it can't be handed on", folder)
	}
	return nil
}

// goFolder asks the go command for one of its folders.
func goFolder(name string) (string, error) {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("go env %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}
