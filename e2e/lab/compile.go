package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// tellPackages is the time between two lines of how many packages are compiled.
const tellPackages = 20 * time.Second

// goBuild compiles the programs and tells of how many packages are done.
func (b build) goBuild(ctx context.Context, p progress, out string) error {
	flags := []string{"-modfile", b.modfile, "-tags", b.tags}
	list, err := output(b.goCommand(ctx, append(append([]string{"list", "-deps"}, flags...), b.packages...)...))
	if err != nil {
		return fmt.Errorf("list the packages of %s %s: %w", b.title, b.version, err)
	}
	args := append([]string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", b.linkerFlags(), "-o", out + "/"}, flags...)
	cmd := b.goCommand(ctx, append(args, b.packages...)...)
	var packages packageCount
	cmd.Stdout, cmd.Stderr = &packages, &packages
	stop := p.tell(tellPackages, func() string {
		return fmt.Sprintf("%s: %d packages compiled, of %d at most", b.title, packages.done.Load(), strings.Count(list, "\n"))
	})
	err = cmd.Run()
	stop()
	if err != nil {
		return fmt.Errorf("compile %s %s: %w\n%s"+
			"A first build needs 3 GiB of memory and 5 GiB where `go env GOCACHE` says. What is compiled is kept: run it again",
			b.title, b.version, err, packages.rest.String())
	}
	if b.beside == nil {
		return nil
	}
	return b.beside(ctx, b, out)
}

// packageCount reads what `go build -v` prints: a package's path when it is compiled. All else is of errors.
type packageCount struct {
	done atomic.Int64
	part []byte // of a line that is not complete
	rest bytes.Buffer
}

func (c *packageCount) Write(data []byte) (int, error) {
	c.part = append(c.part, data...)
	for {
		line, rest, complete := bytes.Cut(c.part, []byte("\n"))
		if !complete {
			return len(data), nil
		}
		if bytes.ContainsAny(line, " \t") {
			c.rest.Write(append(line, '\n'))
		} else {
			c.done.Add(1)
		}
		c.part = rest
	}
}

func (b build) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	return cmd
}

// buildPinns compiles the one program of CRI-O that is C: it makes the namespaces of a pod.
func buildPinns(ctx context.Context, b build, out string) error {
	dir, err := output(b.goCommand(ctx, "list", "-m", "-f", "{{.Dir}}", b.from))
	if err != nil {
		return fmt.Errorf("find source of pinns: %w", err)
	}
	sources, err := filepath.Glob(filepath.Join(strings.TrimSpace(dir), "pinns", "src", "*.c"))
	if err != nil {
		return err
	}
	_, err = output(exec.CommandContext(ctx, "gcc", append([]string{"-std=c99", "-O2", "-o", filepath.Join(out, "pinns")}, sources...)...))
	return err
}

func (b build) linkerFlags() string {
	const strip = "-s -w"
	if b.stamp == nil {
		return strip
	}
	return strip + " " + b.stamp(b.version)
}

func stampKubernetes(version string) string {
	number := strings.Split(strings.TrimPrefix(version, "v"), ".")
	const pkg = "k8s.io/component-base/version"
	return fmt.Sprintf("-X %s.gitVersion=%s -X %s.gitMajor=%s -X %s.gitMinor=%s", pkg, version, pkg, number[0], pkg, number[1])
}
