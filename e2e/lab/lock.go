package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lock keeps two calls of the program from working on one cluster at a time: the second waits. It returns what unlocks. The names of network
// namespaces are the machine's, so the lock is as well.
func lock(name string) (func(), error) {
	file, err := os.OpenFile("/run/lock/l2sm-lab-"+name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of lab %q: %w", name, err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	for errors.Is(err, unix.EINTR) {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock lab %q: %w", name, err), file.Close())
	}
	return func() { file.Close() }, nil
}

// lookAgain is the time between two looks at a lock that another program holds. A look costs nothing, what the other
// program makes takes a minute.
const lookAgain = 100 * time.Millisecond

// lockCache keeps two programs from making the same thing of the cache at a time: the second waits, unless it is
// interrupted, after a call of waiting. It returns what unlocks. The lock is on a file beside the thing; the kernel
// releases it when the program ends, in whatever way.
func lockCache(ctx context.Context, path string, waiting func()) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of %q: %w", path, err)
	}
	file, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of %q: %w", path, err)
	}
	for first := true; ; first = false {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %q: %w", path, err), file.Close())
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for another program to make %q: %w", path, ctx.Err()), file.Close())
		case <-time.After(lookAgain):
		}
	}
}
