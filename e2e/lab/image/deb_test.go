package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newPackage builds a real package of files, by name and mode.
func newPackage(t *testing.T, name string, files map[string]os.FileMode) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), name)
	control := fmt.Sprintf("Package: %s\nVersion: 1.0-1\nArchitecture: all\nMaintainer: nobody\nDescription: try\n", name)
	write := func(path, content string, mode os.FileMode) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("DEBIAN/control", control, 0o644)
	for path, mode := range files {
		write(path, "of "+name, mode)
	}
	file := filepath.Join(t.TempDir(), name+".deb")
	if out, err := exec.Command("dpkg-deb", "--build", "--root-owner-group", root, file).CombinedOutput(); err != nil {
		t.Fatalf("build package: %v\n%s", err, out)
	}
	return file
}

// listing is what a layer holds: names, modes, targets of links.
func listing(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for archive := tar.NewReader(f); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %o %s", h.Name, h.Mode, h.Linkname)))
	}
}

func TestUnpack(t *testing.T) {
	base := newPackage(t, "base-passwd", map[string]os.FileMode{
		"usr/share/base-passwd/passwd.master": 0o644,
		"usr/share/base-passwd/group.master":  0o644,
	})
	tools := newPackage(t, "tools", map[string]os.FileMode{
		"bin/mount":                         0o755 | os.ModeSetuid,
		"usr/bin/mawk":                      0o755,
		"usr/bin/tcpdump":                   0o755,
		"usr/share/ca-certificates/x/A.crt": 0o644,
		"usr/share/ca-certificates/x/B.crt": 0o644,
		"usr/sbin/update-passwd":            0o755,
		"usr/share/doc/tools/copyright":     0o644,
		"usr/share/doc/tools/NEWS":          0o644,
		"usr/share/man/man1/mawk.1":         0o644,
		"var/run/tools/x":                   0o644,
		"usr/lib/systemd/system/a.timer":    0o644,
	})
	unneeded := newPackage(t, "unneeded", map[string]os.FileMode{"usr/bin/perl": 0o755})
	d, root := Debian{Without: []string{"unneeded"}}, newTree()
	for _, file := range []string{base, tools, unneeded} {
		if err := d.unpack(t.Context(), root, file, filepath.Join(t.TempDir(), "content")); err != nil {
			t.Fatal(err)
		}
	}
	if err := finish(root); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"proc", "srv", "tmp"} {
		if e, has := root.entries[folder]; !has || e.header.Typeflag != tar.TypeDir {
			t.Errorf("there is no folder /%s, as everywhere", folder)
		}
	}
	for file, want := range map[string]string{
		"etc/passwd": "of base-passwdtcpdump:x:100:100::/nonexistent:/usr/sbin/nologin\n",
		"etc/group":  "of base-passwdtcpdump:x:100:\n",
		bundle:       "of toolsof tools",
	} {
		if got, err := root.content(file); string(got) != want || err != nil {
			t.Errorf("%s is %q (%v), want %q", file, got, err, want)
		}
	}
	out := filepath.Join(t.TempDir(), "layer.tar")
	if err := root.write(out, root.newest()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bin 777 usr/bin",
		"etc/group 644", "etc/nsswitch.conf 644", "etc/passwd 644", "etc/ssl/certs/ca-certificates.crt 644",
		"lib 777 usr/lib", "lib64 777 usr/lib64",
		"run/tools/x 644",
		"sbin 777 usr/sbin",
		"usr/bin/awk 777 /usr/bin/mawk", "usr/bin/mawk 755", "usr/bin/mount 755", "usr/bin/tcpdump 755",
		"usr/share/base-passwd/group.master 644", "usr/share/base-passwd/passwd.master 644",
		"usr/share/ca-certificates/x/A.crt 644", "usr/share/ca-certificates/x/B.crt 644",
		"usr/share/doc/tools/copyright 644",
		"var/lib/dpkg/status.d/base-passwd 644", "var/lib/dpkg/status.d/tools 644",
		"var/lock 777 /run/lock", "var/run 777 /run",
	}
	if diff := cmp.Diff(want, listing(t, out)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestFinishNeedsUsers(t *testing.T) {
	if err := finish(newTree()); err == nil || !strings.Contains(err.Error(), "base-passwd") {
		t.Errorf("an image without users: %v", err)
	}
}

// A program of this machine whose library is left out.
func TestLibraries(t *testing.T) {
	root := newTree()
	if err := root.addProgram("usr/bin/bash", "/bin/bash"); err != nil {
		t.Fatal(err)
	}
	if err := root.checkLibraries(); err == nil || !strings.Contains(err.Error(), "usr/bin/bash needs libc.so.6") {
		t.Errorf("bash without a library of C: %v", err)
	}
	for _, library := range []string{"libc.so.6", "libtinfo.so.6"} {
		root.addBytes("usr/lib/"+library, nil)
	}
	if err := root.checkLibraries(); err != nil {
		t.Errorf("all libraries are there: %v", err)
	}
}

// Of what is linked hard, the first name has the content and stands first.
func TestHardLinks(t *testing.T) {
	root := newTree()
	root.add(&tar.Header{Typeflag: tar.TypeLink, Name: "usr/bin/a", Linkname: "usr/bin/b", Mode: 0o755}, nil)
	root.addBytes("usr/bin/b", []byte("x"))
	out := filepath.Join(t.TempDir(), "layer.tar")
	if err := root.write(out, root.newest()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"usr/bin/b 644", "usr/bin/a 755 usr/bin/b"}, listing(t, out)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
