package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"l2sm.io/l2sm/internal/pki"
)

// Dir is where a node's files are: on a memory file system, gone with a reboot,
// and root's alone.
const Dir = "/run/l2sm/ovn"

// Names in the folder beside those of package pki. As in the volumes of
// Kubernetes' Secrets, the files are links into ..data, which is a link to a
// folder with one version of all of them: Open vSwitch reads a key and a
// certificate again only if it finds both changed (stream-ssl.c), so they must
// change in one instant.
const (
	current    = "..data"
	pendingKey = "pending.key"
)

// folder is a node's files.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// make makes the folder. The kubelet may have made it, for all to read.
func (f folder) make() error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("make folder of the node's certificate: %w", err)
	}
	if err := os.Chmod(string(f), 0o700); err != nil {
		return fmt.Errorf("close folder of the node's certificate: %w", err)
	}
	return nil
}

// held is what there is; what is missing is empty.
func (f folder) held() (Held, error) {
	var h Held
	for name, into := range map[string]*[]byte{pki.KeyFile: &h.Key, pki.CertificateFile: &h.Certificate, pki.AuthorityFile: &h.Control} {
		text, err := f.read(name)
		if err != nil {
			return Held{}, err
		}
		*into = text
	}
	return h, nil
}

func (f folder) read(name string) ([]byte, error) {
	text, err := os.ReadFile(f.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the node's certificate: %w", err)
	}
	return text, nil
}

// store replaces all files at once.
func (f folder) store(h Held) error {
	if err := f.replace(h); err != nil {
		return fmt.Errorf("write the node's certificate: %w", err)
	}
	return nil
}

func (f folder) replace(h Held) error {
	version, err := os.MkdirTemp(string(f), "..version-")
	if err != nil {
		return err
	}
	// The certificate comes last: who waits for it finds the others.
	names := []string{pki.AuthorityFile, pki.KeyFile, pki.CertificateFile}
	for i, text := range [][]byte{h.Control, h.Key, h.Certificate} {
		if err := os.WriteFile(filepath.Join(version, names[i]), text, 0o600); err != nil {
			return err
		}
	}
	if err := f.link(filepath.Base(version), current); err != nil {
		return err
	}
	for _, name := range names {
		if to, err := os.Readlink(f.path(name)); err == nil && to == filepath.Join(current, name) {
			continue
		}
		if err := f.link(filepath.Join(current, name), name); err != nil {
			return err
		}
	}
	return f.sweep(version)
}

// link puts a link in the place of whatever is there.
func (f folder) link(to, name string) error {
	if err := os.RemoveAll(f.path(name + ".new")); err != nil {
		return err
	}
	if err := os.Symlink(to, f.path(name+".new")); err != nil {
		return err
	}
	return os.Rename(f.path(name+".new"), f.path(name))
}

// sweep removes all versions but one.
func (f folder) sweep(kept string) error {
	versions, err := filepath.Glob(f.path("..version-*"))
	if err != nil {
		return err
	}
	for _, version := range versions {
		if version == kept {
			continue
		}
		if err := os.RemoveAll(version); err != nil {
			return err
		}
	}
	return nil
}

// keepPending keeps the key of a request that is under way: an agent that starts
// again goes on waiting for it, rather than to make another.
func (f folder) keepPending(key []byte) error {
	if err := os.WriteFile(f.path(pendingKey+".new"), key, 0o600); err != nil {
		return fmt.Errorf("keep key of a request: %w", err)
	}
	if err := os.Rename(f.path(pendingKey+".new"), f.path(pendingKey)); err != nil {
		return fmt.Errorf("keep key of a request: %w", err)
	}
	return nil
}

func (f folder) dropPending() error {
	if err := os.Remove(f.path(pendingKey)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop key of a request: %w", err)
	}
	return nil
}
