package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"path"
	"strings"
)

// checkLibraries refuses a tree with a program whose libraries are not in it. It reads them, for any machine, and runs
// nothing.
func (t *tree) checkLibraries() error {
	there := map[string]bool{}
	for name := range t.entries {
		there[path.Base(name)] = true
	}
	var missing []string
	for _, e := range t.sorted() {
		needed, err := e.libraries()
		if err != nil {
			return fmt.Errorf("read %q: %w", e.header.Name, err)
		}
		for _, library := range needed {
			if !there[library] {
				missing = append(missing, e.header.Name+" needs "+library)
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("libraries are left out, with a package in a file `without`, of programs that are not: %s", strings.Join(missing, ", "))
	}
	return nil
}

// libraries are what an ELF file is linked with.
func (e entry) libraries() ([]string, error) {
	if e.header.Typeflag != tar.TypeReg || e.header.Size < 4 {
		return nil, nil
	}
	content, err := e.open()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	magic := make([]byte, len(elf.ELFMAG))
	if _, err := io.ReadFull(content, magic); err != nil || string(magic) != elf.ELFMAG {
		return nil, err
	}
	rest, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	file, err := elf.NewFile(bytes.NewReader(append(magic, rest...)))
	if err != nil {
		return nil, err
	}
	return file.ImportedLibraries()
}
