package nri

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/fsnotify/fsnotify"
	"github.com/go-logr/logr"
)

// After a connection that did not last, waits grow from firstRetry to lastRetry;
// one that lasted longer than calm is followed by the next at once.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
	calm       = time.Minute
)

// Follow has the runtime that listens on the socket call the handler, until ctx
// ends. Where there is no socket it waits for one: a runtime makes it again when it
// restarts, and makes none where it does not offer the interface.
func Follow(ctx context.Context, socket string, log logr.Logger, handler Handler) error {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstRetry), backoff.WithMaxInterval(lastRetry), backoff.WithMaxElapsedTime(0))
	for {
		began := time.Now()
		err := connect(ctx, socket, log, handler)
		if ctx.Err() != nil {
			return nil
		}
		handler.Lost(err)
		if time.Since(began) > calm {
			wait.Reset()
		}
		await(ctx, socket, wait.NextBackOff(), errors.Is(err, fs.ErrNotExist))
	}
}

// await returns when it is time for the next try: when the socket is made, after a
// while, unless there was none that could come to life, and when ctx ends.
func await(ctx context.Context, socket string, after time.Duration, absent bool) {
	timer := time.NewTimer(after)
	defer timer.Stop()
	late := timer.C
	var events chan fsnotify.Event
	var lost chan error
	if watcher, err := watch(socket); err == nil {
		defer func() { _ = watcher.Close() }()
		events, lost = watcher.Events, watcher.Errors
		if absent {
			late = nil
		}
	}
	if _, err := os.Lstat(socket); err == nil && absent {
		return // it was made before the folder was watched
	}
	for {
		select {
		case event := <-events:
			if event.Name == socket && event.Has(fsnotify.Create) {
				return
			}
		case <-lost: //nolint:errcheck // whatever it is, the event may be among what is lost
			return
		case <-late:
			return
		case <-ctx.Done():
			return
		}
	}
}

// watch watches the folder of a file.
func watch(file string) (*fsnotify.Watcher, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %q: %w", file, err)
	}
	if err := watcher.Add(filepath.Dir(file)); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %q: %w", file, err), watcher.Close())
	}
	return watcher, nil
}
