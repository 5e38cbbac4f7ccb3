package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
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
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
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
