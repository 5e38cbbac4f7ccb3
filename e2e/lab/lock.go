package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps two calls of the program from working on one cluster at a time: the second waits. It returns what unlocks. The names of network
// namespaces are the machine's, so the lock is as well.
func lock(name string) (func(), error) {
	file, err := os.OpenFile("/run/lock/l2sm-lab-"+name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of lab %q: %w", name, err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock lab %q: %w", name, err)
	}
	return func() { file.Close() }, nil
}
