package ovstest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"l2sm.io/l2sm/internal/link/nstest"
)

// place is where programs run: in a network namespace, and on a root file system
// of another Debian. Its zero value is here.
type place struct{ netns, root string }

// start starts the program in its place.
func (p place) start(t testing.TB, cmd *exec.Cmd) error {
	t.Helper()
	if p.root != "" {
		cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Chroot: p.root}, "/"
	}
	if p.netns == "" {
		return cmd.Start()
	}
	var err error
	nstest.Do(t, p.netns, func() error {
		err = cmd.Start()
		return nil
	})
	return err
}

// daemon starts a program in the foreground; it ends with the test. Its log is
// shown if the test fails.
func (p place) daemon(t testing.TB, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(name, append(args, "-vconsole:warn", "-vsyslog:off", "-vfile:off")...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir, "OVS_LOGDIR="+dir, "OVS_DBDIR="+dir, "OVN_RUNDIR="+dir)
	cmd.Stderr = &log
	if err := p.start(t, cmd); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		kill(t, cmd)
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), log.String())
		}
	})
	return cmd
}

// run returns what the program prints.
func (p place) run(t testing.TB, name string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := p.start(t, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String())
}
