package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	gomodule "golang.org/x/mod/module"
	"golang.org/x/sync/errgroup"
)

// tellDownloads is the time between two lines of how far a download is.
const tellDownloads = 5 * time.Second

// download fetches the Go modules that the builds need, all at once: compiling fetches one package's after the other's,
// and on two cores that costs minutes. It says how many there are and how many have come.
func download(ctx context.Context, p progress, builds []build) error {
	wanted := map[string]bool{} // files that hold a module, those that are not there
	for _, b := range builds {
		if b.done() {
			continue
		}
		files, err := b.moduleFiles(ctx)
		if err != nil {
			return err
		}
		for _, file := range files {
			wanted[file] = true
		}
	}
	if left(wanted) == 0 {
		return nil
	}
	p.say("downloading %d Go modules", len(wanted))
	return p.step("downloaded Go modules", func() error {
		defer p.tell(tellDownloads, func() string {
			return fmt.Sprintf("%d of %d Go modules are there", len(wanted)-left(wanted), len(wanted))
		})()
		var group errgroup.Group
		for _, b := range builds {
			if !b.done() {
				group.Go(func() error { return b.download(ctx) })
			}
		}
		return group.Wait()
	})
}

// left counts the files that are not there yet. The go command gives a file its name when it is whole.
func left(files map[string]bool) int {
	n := 0
	for file := range files {
		if _, err := os.Stat(file); err != nil {
			n++
		}
	}
	return n
}

func (b build) download(ctx context.Context) error {
	out, err := b.goCommand(ctx, "mod", "download", "-modfile", b.modfile).CombinedOutput()
	if err == nil {
		return nil
	}
	return fmt.Errorf("download the Go modules of %s %s: %w\n%s"+
		"Is there a way out, and does GOPROXY name a server that answers (`go env GOPROXY`)? What has come is kept: run it again",
		b.title, b.version, err, out)
}

// moduleFiles are the files of the go command's cache that hold what a build needs and that are not there.
func (b build) moduleFiles(ctx context.Context) ([]string, error) {
	cache, err := output(b.goCommand(ctx, "env", "GOMODCACHE"))
	if err != nil {
		return nil, fmt.Errorf("find the cache of Go modules: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(b.source, b.modfile))
	if err != nil {
		return nil, fmt.Errorf("read module of %s: %w", b.name, err)
	}
	file, err := modfile.Parse(b.modfile, data, nil)
	if err != nil {
		return nil, fmt.Errorf("parse module of %s: %w", b.name, err)
	}
	replaced := map[string]gomodule.Version{}
	for _, r := range file.Replace {
		replaced[r.Old.Path] = r.New
	}
	var files []string
	for _, r := range file.Require {
		m := r.Mod
		if other, ok := replaced[m.Path]; ok {
			m = other
		}
		path, errPath := gomodule.EscapePath(m.Path)
		version, errVersion := gomodule.EscapeVersion(m.Version)
		if err := errors.Join(errPath, errVersion); err != nil {
			return nil, fmt.Errorf("name the file of %s: %w", m, err)
		}
		zip := filepath.Join(strings.TrimSpace(cache), "cache", "download", filepath.FromSlash(path), "@v", version+".zip")
		if _, err := os.Stat(zip); err != nil {
			files = append(files, zip)
		}
	}
	return files, nil
}
