package vm

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// needed are the modules that mounting the root, the network and the output need. All others the guest loads from the
// root, when they are asked for.
var needed = []string{"virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console", "virtio_net"}

// moduleFolder is where the initramfs has them, named so that their order is the order to load them in.
const moduleFolder = "modules"

// writeInitramfs makes the guest's first file system: the program init, and the modules.
func writeInitramfs(ctx context.Context, to, init string, k kernel) error {
	modules, err := insertable(ctx, k)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	a := archive{w: out}
	for _, folder := range []string{moduleFolder, "dev", "proc", "sys", "shared", "lower", "upper", "root"} {
		a.add(folder, modeFolder, nil)
	}
	a.addFile("init", modeProgram, init)
	for i, module := range modules {
		a.addFile(fmt.Sprintf("%s/%03d-%s", moduleFolder, i, filepath.Base(module)), modeFile, module)
	}
	a.add("TRAILER!!!", 0, nil)
	return a.err
}

// insertable are the files of the needed modules, each after those that it depends on.
func insertable(ctx context.Context, k kernel) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	for _, module := range needed {
		out, err := output(ctx, "", "modprobe", "--dirname", k.dir, "--set-version", k.version, "--show-depends", module)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(out)) {
			file, ok := strings.CutPrefix(strings.TrimSpace(line), "insmod ")
			if ok && !seen[file] {
				seen[file] = true
				files = append(files, file)
			}
		}
	}
	return files, nil
}

// Modes of stat(2).
const (
	modeFolder  = 0o040755
	modeFile    = 0o100644
	modeProgram = 0o100755
)

// archive writes the kernel's format of an initramfs ("newc", kernel documentation, driver-api/early-userspace/buffer-format).
type archive struct {
	w    io.Writer
	next int // inode
	err  error
}

func (a *archive) addFile(name string, mode int, from string) {
	content, err := os.ReadFile(from)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.add(name, mode, content)
}

func (a *archive) add(name string, mode int, content []byte) {
	a.next++
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", a.next, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	a.write([]byte(header + name + "\x00"))
	a.pad(len(header) + len(name) + 1)
	a.write(content)
	a.pad(len(content))
}

// pad fills up to four bytes.
func (a *archive) pad(n int) { a.write(make([]byte, (4-n%4)%4)) }

func (a *archive) write(b []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(b)
	}
}
