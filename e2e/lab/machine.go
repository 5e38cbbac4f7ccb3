package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"l2sm.io/l2sm/e2e/lab/patience"
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

func prepareMachine(p progress) error {
	if err := checkMachine(); err != nil {
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
func checkMachine() error {
	if os.Getuid() != 0 {
		return errors.New("a lab needs root: it makes namespaces, mounts and control groups")
	}
	var missing []string
	for program, pkg := range requirements {
		if _, err := exec.LookPath(program); err != nil && !slices.Contains(missing, pkg) {
			missing = append(missing, pkg)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("the lab needs more of Debian: apt-get install -y %s", strings.Join(missing, " "))
	}
	return nil
}

// waitForContainerd waits until a node that was started takes commands.
func (l *Lab) waitForContainerd(ctx context.Context, n nodePlan) error {
	ctx, cancel := context.WithTimeout(ctx, patience.Of(time.Minute))
	defer cancel()
	for {
		_, err := l.Node(ctx, n.Name, "ctr", "version")
		if err == nil {
			return nil
		}
		if _, alive := l.running(n.Namespace, nodeProcess(n)); !alive {
			return fmt.Errorf("node %q ended, see %s", n.Name, l.path("log", nodeProcess(n)+".log"))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for containerd on node %q: %w", n.Name, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
