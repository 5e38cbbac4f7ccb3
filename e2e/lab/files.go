package lab

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Publish gives a file of the cache a name outside of it.
func Publish(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return linkOrCopy(from, to)
}

// linkOrCopy gives a file a second name, or copies it where that would cross file systems. What is there is replaced,
// whole: the other name of what was there keeps its content, also when two programs do this at once.
func linkOrCopy(from, to string) error {
	folder, err := os.MkdirTemp(filepath.Dir(to), ".unfinished-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	unfinished := filepath.Join(folder, filepath.Base(to))
	if os.Link(from, unfinished) != nil {
		if err := copyFile(from, unfinished); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}
