package image

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// entry is one file of a layer, with where its content is.
type entry struct {
	header *tar.Header
	open   func() (io.ReadCloser, error) // nil: no content
}

// tree collects the files of a layer. They are written by their names, each once, without what differs from one machine
// to another.
type tree struct {
	entries map[string]entry
}

func newTree() *tree { return &tree{entries: map[string]entry{}} }

// add takes an entry. A name that is there already stays as it was.
func (t *tree) add(h *tar.Header, open func() (io.ReadCloser, error)) {
	name := strings.Trim(path.Clean("/"+h.Name), "/")
	if _, there := t.entries[name]; there || name == "" {
		return
	}
	t.entries[name] = entry{open: open, header: &tar.Header{
		Typeflag: h.Typeflag, Name: name, Linkname: h.Linkname, Size: h.Size, Uid: h.Uid, Gid: h.Gid,
		Mode:    h.Mode &^ 0o6000, // no program of ours changes its user
		ModTime: h.ModTime.Truncate(time.Second),
	}}
}

func (t *tree) addBytes(name string, content []byte) {
	t.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))},
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
}

func (t *tree) addLink(name, target string) {
	t.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (t *tree) addFolder(name string, mode int64) {
	t.add(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}, nil)
}

// addProgram takes a file of this machine, but for its time: a build says nothing of when it ran.
func (t *tree) addProgram(name, source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	t.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: info.Size()},
		func() (io.ReadCloser, error) { return os.Open(source) })
	return nil
}

// write stores the layer. Files that have no time of their own get this one.
func (t *tree) write(out string, made time.Time) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for _, e := range t.sorted() {
		if e.header.ModTime.IsZero() {
			e.header.ModTime = made
		}
		if err := writeEntry(w, e); err != nil {
			return fmt.Errorf("pack %q: %w", e.header.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack %q: %w", out, err)
	}
	return f.Close()
}

// content is what a file holds.
func (t *tree) content(name string) ([]byte, error) {
	e, ok := t.entries[name]
	if !ok || e.open == nil {
		return nil, fmt.Errorf("no file %q", name)
	}
	f, err := e.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// newest is the latest time of a file.
func (t *tree) newest() time.Time {
	var latest time.Time
	for _, e := range t.entries {
		if e.header.ModTime.After(latest) {
			latest = e.header.ModTime
		}
	}
	return latest
}

// sorted has hard links last: what they point at stands before them.
func (t *tree) sorted() []entry {
	var all []entry
	for _, e := range t.entries {
		all = append(all, e)
	}
	hard := func(e entry) int {
		if e.header.Typeflag == tar.TypeLink {
			return 1
		}
		return 0
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(hard(a), hard(b)), cmp.Compare(a.header.Name, b.header.Name))
	})
	return all
}

func writeEntry(w *tar.Writer, e entry) error {
	if err := w.WriteHeader(e.header); err != nil {
		return err
	}
	if e.open == nil {
		return nil
	}
	content, err := e.open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(w, content)
	return err
}
