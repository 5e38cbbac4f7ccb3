package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// requirements are the programs that a lab calls, with the Debian packages that bring them.
var requirements = map[string]string{
	"containerd": "containerd",
	"ctr":        "containerd",
	"ip":         "iproute2",
	"mmdebstrap": "mmdebstrap",
	"nft":        "nftables",
	"nsenter":    "util-linux",
	"runc":       "runc",
}

// inotifyInstances is how many inotify instances one user may have, at least. A node takes about nine, and Linux allows
// 128 by default: a kubelet that gets none does not start.
const inotifyInstances = 1024

const inotifyLimit = "/proc/sys/fs/inotify/max_user_instances"

func prepareMachine(p progress, runtime containerRuntime) error {
	if err := checkMachine(runtime); err != nil {
		return err
	}
	limit, err := os.ReadFile(inotifyLimit)
	if err != nil {
		return fmt.Errorf("read limit of inotify instances: %w", err)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(limit))); err != nil || n >= inotifyInstances {
		return err
	}
	p.say("raising fs.inotify.max_user_instances of this machine to %d", inotifyInstances)
	return os.WriteFile(inotifyLimit, []byte(strconv.Itoa(inotifyInstances)), 0)
}

// checkMachine says what the machine lacks before anything is begun.
func checkMachine(runtime containerRuntime) error {
	if os.Getuid() != 0 {
		return errors.New("a lab needs root: it makes namespaces, mounts and control groups")
	}
	var missing []string
	for _, needs := range []map[string]string{requirements, runtime.needs} {
		for program, pkg := range needs {
			if _, err := exec.LookPath(program); err != nil && !slices.Contains(missing, pkg) {
				missing = append(missing, pkg)
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("the lab needs more of Debian: apt-get install -y %s", strings.Join(missing, " "))
	}
	return nil
}
