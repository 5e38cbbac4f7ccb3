package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// holder is a process that keeps a pod's mount namespace.
type holder struct {
	cmd *exec.Cmd
	pid int
}

// hold makes a mount namespace in the node's network namespace, in which it runs the script. Mounts that this machine makes
// later show up in it.
func hold(ctx context.Context, n *Node, script string) (*holder, error) {
	cmd := n.Command(context.WithoutCancel(ctx), "unshare", "--mount", "--propagation", "slave", "sh", "-ec", script+"echo ready\nexec sleep infinity")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &holder{cmd: cmd, pid: cmd.Process.Pid}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("%s\n%s", errs.String(), script), h.end())
	}
	return h, nil
}

func (h *holder) end() error {
	err := h.cmd.Process.Kill()
	_ = h.cmd.Wait() // killed: an error by our own doing
	return err
}

// mounts is the script that makes the pod's files: the image, read-only, and every volume where some container mounts it.
// The containers of a pod see each other's.
func (p *Pod) mounts() string {
	var s strings.Builder
	folders := p.places()
	for place := range folders {
		fmt.Fprintf(&s, "mkdir -p %s\n", filepath.Join(p.template.Image, place))
	}
	if p.root != "/" {
		fmt.Fprintf(&s, "mkdir -p %[1]s\nmount --bind %[2]s %[1]s\nmount -o remount,bind,ro %[1]s\n", p.root, p.template.Image)
		fmt.Fprintf(&s, "mount -t proc proc %[1]s/proc\nmount -t sysfs sys %[1]s/sys\nmount --rbind /dev %[1]s/dev\n", p.root)
	}
	for place, source := range folders {
		fmt.Fprintf(&s, "mkdir -p %[1]s\nmount --rbind %[1]s %[2]s\n", source, filepath.Join(p.root, place))
	}
	return s.String()
}

// places are the folders to mount, by where.
func (p *Pod) places() map[string]string {
	folders := map[string]string{}
	volumes := map[string]corev1.Volume{}
	for _, v := range p.template.Spec.Volumes {
		volumes[v.Name] = v
	}
	for _, c := range append(p.template.Spec.InitContainers, p.template.Spec.Containers...) {
		for _, m := range c.VolumeMounts {
			folders[m.MountPath] = p.source(volumes[m.Name])
		}
	}
	return folders
}

// source is the folder of a volume on this machine.
func (p *Pod) source(v corev1.Volume) string {
	if folder, ok := p.template.Folders[v.Name]; ok {
		return folder
	}
	if v.HostPath != nil {
		return p.node.HostFile(v.HostPath.Path)
	}
	return filepath.Join(p.dir, "volumes", v.Name)
}
