package vm

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sharedFolder is where the guest has what it shares with the host, once it has entered its root.
const sharedFolder = "/mnt"

type mount struct {
	source, target, kind, options string
	flags                         uintptr
}

// enterRoot changes from the initramfs to the machine's own files, beneath a tmpfs. The root is moved and entered by the
// first process itself: whatever enters a mount namespace later, and the kernel when it loads a module, stands in it.
func enterRoot() (task, error) {
	if err := errors.Join(mountAll([]mount{{"dev", "/dev", "devtmpfs", "", 0}, {"proc", "/proc", "proc", "", 0}, {"sys", "/sys", "sysfs", "", 0}}), insertModules()); err != nil {
		return task{}, err
	}
	const ninep = "trans=virtio,version=9p2000.L,msize=524288"
	err := mountAll([]mount{
		{rootTag, "/lower", "9p", ninep + ",cache=loose", unix.MS_RDONLY},
		{"upper", "/upper", "tmpfs", "size=75%", 0},
	})
	if err == nil {
		err = errors.Join(os.Mkdir("/upper/files", 0o755), os.Mkdir("/upper/work", 0o755))
	}
	if err == nil {
		err = mountAll([]mount{
			{"root", "/root", "overlay", "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work", 0},
			{"proc", "/root/proc", "proc", "", 0},
			{"sys", "/root/sys", "sysfs", "", 0},
			{"cgroup", "/root/sys/fs/cgroup", "cgroup2", "", 0},
			{"dev", "/root/dev", "devtmpfs", "", 0},
			{"pts", "/root/dev/pts", "devpts", "ptmxmode=0666", 0},
			{"shm", "/root/dev/shm", "tmpfs", "", 0},
			{"run", "/root/run", "tmpfs", "mode=755", 0},
			{sharedTag, "/root" + sharedFolder, "9p", ninep, 0},
		})
	}
	if err != nil {
		return task{}, err
	}
	t, err := readTask("/root" + sharedFolder)
	if err != nil {
		return t, err
	}
	return t, errors.Join(lendModules(t.Modules), linkDevices(), os.MkdirAll("/root/run/netns", 0o755), os.MkdirAll("/root/run/lock", 0o755), moveRoot())
}

func mountAll(all []mount) error {
	for _, m := range all {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount %s on %q: %w", m.kind, m.target, err)
		}
	}
	return nil
}

// lendModules puts the modules of the guest's kernel where modprobe looks.
func lendModules(from string) error {
	to := filepath.Join("/root/lib/modules", filepath.Base(from))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.Symlink(from, to)
}

func linkDevices() error {
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, filepath.Join("/root/dev", name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// moveRoot is switch_root(8): a chroot alone would leave the old root above.
func moveRoot() error {
	if err := unix.Chdir("/root"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	return errors.Join(unix.Chroot("."), unix.Chdir("/"))
}

// insertModules loads what the initramfs has, in its order.
func insertModules() error {
	files, err := filepath.Glob("/" + moduleFolder + "/*")
	if err != nil {
		return err
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(file.Fd()), "", 0)
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("load module %q: %w", name, err)
		}
	}
	return nil
}

// upNetwork configures qemu's user network, as its DHCP server would.
func upNetwork() error {
	for name, address := range map[string]*netlink.Addr{
		"lo":   nil,
		"eth0": {IPNet: &net.IPNet{IP: net.IPv4(10, 0, 2, 15), Mask: net.CIDRMask(24, 32)}},
	} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("get %s: %w", name, err)
		}
		if address != nil {
			if err := netlink.AddrAdd(link, address); err != nil {
				return fmt.Errorf("give %s its address: %w", name, err)
			}
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", name, err)
		}
	}
	return nil
}
