package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"l2sm.io/l2sm/e2e/lab/image"
)

// Images builds container images, as docker-archive files.
type Images struct {
	Cache      Cache
	Repository string
	Suite      string    // Debian release of the OVN image
	Arch       string    // as Go names it; empty: this machine's
	Time       time.Time // of the commit: of l2sm's own files
	Fresh      bool      // take nothing from the cache: Debian mends its packages
	Log        io.Writer // takes a line where Build waits for another program; nil for none
}

func (i Images) arch() string {
	if i.Arch == "" {
		return runtime.GOARCH
	}
	return i.Arch
}

// path is the file of an image in the cache.
func (i Images) path(name string, r recipe) string {
	if i.arch() != runtime.GOARCH {
		name += "-" + i.arch()
	}
	if r.key != "" {
		name += "-" + r.key
	}
	if r.checkout != "" {
		name += fmt.Sprintf("-%x", sha256.Sum256([]byte(r.checkout)))[:9]
	}
	return filepath.Join(i.Cache.images(), name+".tar")
}

// Build makes the image unless it is in the cache and returns its file.
func (i Images) Build(ctx context.Context, name string) (string, error) {
	r, err := i.recipe(name)
	if err != nil {
		return "", err
	}
	return i.make(ctx, name, r)
}

func (i Images) make(ctx context.Context, name string, r recipe) (string, error) {
	file := i.path(name, r)
	if i.taken(r, file) {
		return file, nil
	}
	p := i.progress()
	unlock, err := lockCache(ctx, file, func() { p.say("waiting for another program that builds the image %s", name) })
	if err != nil {
		return "", err
	}
	defer unlock()
	if i.taken(r, file) {
		return file, nil
	}
	layer := file + ".layer"
	defer os.Remove(layer)
	if err := r.layer(ctx, layer); err != nil {
		return "", fmt.Errorf("make layer of image %q: %w", name, err)
	}
	if err := r.archive(file, layer, i.arch()); err != nil {
		return "", fmt.Errorf("make image %q: %w", name, err)
	}
	return file, nil
}

func (r recipe) archive(file, layer, arch string) error {
	l, err := image.Plain(layer)
	if err != nil {
		return err
	}
	c := r.config
	c.Arch = arch
	img, err := image.New(c, l)
	if err != nil {
		return err
	}
	return image.WriteArchive(file, "localhost/"+r.repository+":dev", img)
}

func (i Images) progress() progress {
	if i.Log == nil {
		return newProgress(io.Discard)
	}
	return newProgress(i.Log)
}

// Cached tells whether Build has nothing to do.
func (i Images) Cached(name string) (bool, error) {
	r, err := i.recipe(name)
	if err != nil {
		return false, err
	}
	return i.taken(r, i.path(name, r)), nil
}

// taken tells whether the file in the cache is taken as it is.
func (i Images) taken(r recipe, file string) bool {
	_, err := os.Stat(file)
	return err == nil && r.key != "" && !i.Fresh
}
