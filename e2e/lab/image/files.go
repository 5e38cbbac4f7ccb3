package image

import (
	"fmt"
	"time"
)

// Files are what a layer of our own programs holds, by their path in the image; all are root's.
type Files struct {
	Programs map[string]string // path: a file of this machine
	Texts    map[string][]byte // path: content
	Time     time.Time         // of every file
}

// Write makes a tar file of them.
func (f Files) Write(out string) error {
	t := newTree()
	for target, source := range f.Programs {
		if err := t.addProgram(target, source); err != nil {
			return fmt.Errorf("pack %q: %w", source, err)
		}
	}
	for target, content := range f.Texts {
		t.addBytes(target, content)
	}
	return t.write(out, f.Time)
}
