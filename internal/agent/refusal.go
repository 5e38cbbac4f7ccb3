package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// maxRefusal is how much of a refusal is read, in bytes.
const maxRefusal = 4096

// followRefusal calls told with what ovn-node's checks have written to the file,
// and with nothing when it is gone, at start and at each change, until ctx ends.
// Its folder is watched: the file comes and goes.
func followRefusal(ctx context.Context, file string, told func(text string)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %q: %w", file, err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(filepath.Dir(file)); err != nil {
		return fmt.Errorf("watch %q: %w", file, err)
	}
	for {
		text, err := readRefusal(file)
		if err != nil {
			return err
		}
		told(text)
		if err := await(ctx, watcher, file); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// await returns at the next change of the file, and when ctx ends.
func await(ctx context.Context, watcher *fsnotify.Watcher, file string) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			if event.Name == file {
				return nil
			}
		case err := <-watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch %q: %w", file, err)
			}
			return nil // there may have been one
		}
	}
}

func readRefusal(path string) (string, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0) // a pipe would block
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read refusal: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRefusal))
	if err != nil {
		return "", fmt.Errorf("read refusal: %w", err)
	}
	return string(text), nil
}

// refusalRetry is how long to wait before the folder is watched again that could
// not be.
const refusalRetry = 10 * time.Second
