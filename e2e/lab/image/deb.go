package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// statusFolder says which packages are there: one file each, where scanners of images look when no dpkg ran.
const statusFolder = "var/lib/dpkg/status.d/"

// unpack takes a package's files into the tree; their content stays in a folder until the tree is written.
func (d Debian) unpack(ctx context.Context, t *tree, file, content string) error {
	control, err := exec.CommandContext(ctx, "dpkg-deb", "--field", file).Output()
	if err != nil {
		return fmt.Errorf("read what it says of itself: %w", err)
	}
	name := Control(control).Field("Package")
	if slices.Contains(d.Without, name) {
		return nil
	}
	t.addBytes(statusFolder+name, control)
	if err := os.MkdirAll(content, 0o700); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", file)
	files, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = takeAll(t, tar.NewReader(bufio.NewReaderSize(files, 1<<20)), content)
	if err != nil {
		_, _ = io.Copy(io.Discard, files) // dpkg-deb would wait for ever
	}
	return errors.Join(err, cmd.Wait())
}

func takeAll(t *tree, archive *tar.Reader, content string) error {
	for n := 0; ; n++ {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		h.Name = usrMerged(h.Name)
		if unwanted(h.Name) || merged(h.Name) { // finish makes those links
			continue
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname = usrMerged(h.Linkname)
		}
		if h.Typeflag != tar.TypeReg {
			t.add(h, nil)
			continue
		}
		kept := filepath.Join(content, strconv.Itoa(n))
		if err := store(kept, archive); err != nil {
			return err
		}
		t.add(h, func() (io.ReadCloser, error) { return os.Open(kept) })
	}
}

func store(file string, content io.Reader) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// merged are folders that are links.
func merged(name string) bool {
	return slices.Contains([]string{"bin", "lib", "lib64", "sbin", "var/run", "var/lock"}, name)
}

// usrMerged is where a file is: /bin and the like are links, but older packages have files there.
func usrMerged(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if top, _, below := strings.Cut(name, "/"); below && merged(top) {
		return "usr/" + name
	}
	if below, is := strings.CutPrefix(name, "var/run/"); is {
		return "run/" + below
	}
	return name
}

// broken are programs whose libraries no image has: nobody logs in there, sets the clock or has ATM.
var broken = []string{"arpd", "hwclock", "lastlog2", "lslogins", "q_atm.so", "runuser", "su", "update-passwd"}

// unwanted are files that no program reads: manuals, translations, headers, units and scripts of an init that is not
// there. Copyright files stay.
func unwanted(name string) bool {
	if slices.Contains(broken, path.Base(name)) {
		return true
	}
	if below, isDoc := strings.CutPrefix(name, "usr/share/doc/"); isDoc {
		return strings.Contains(below, "/") && path.Base(below) != "copyright"
	}
	for _, folder := range []string{
		"boot", "etc/init.d", "etc/default", "etc/logrotate.d", "etc/cron.daily",
		"usr/games", "usr/include", "usr/lib/systemd", "usr/lib/udev", "usr/lib/tmpfiles.d", "usr/local/games", "usr/src",
		"usr/share/bash-completion", "usr/share/bug", "usr/share/doc-base", "usr/share/info", "usr/share/lintian",
		"usr/share/locale", "usr/share/man", "usr/share/menu", "usr/share/zsh", "var/cache", "var/backups",
	} {
		if name == folder || strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}

// Control is a package's own description, deb-control(5).
type Control []byte

// Field is the value of a field, its first line.
func (c Control) Field(name string) string {
	for line := range bytes.Lines(c) {
		if key, value, ok := strings.Cut(string(line), ":"); ok && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
