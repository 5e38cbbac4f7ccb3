package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// OVNRoot is a root file system that OVN's programs are taken from, for example an unpacked image; empty for this
// machine's. The programs run with that system's libraries and see this machine's files.
type OVNRoot string

// Program is the beginning of a command that runs one of OVN's programs.
func (r OVNRoot) Program(name string) ([]string, error) {
	if r == "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("find %s (make deps installs it): %w", name, err)
		}
		return []string{path}, nil
	}
	for _, folder := range []string{"usr/bin", "usr/sbin"} {
		path := filepath.Join(string(r), folder, name)
		if _, err := os.Stat(path); err == nil {
			lib := filepath.Join(string(r), "usr/lib/x86_64-linux-gnu")
			return []string{filepath.Join(string(r), "lib64/ld-linux-x86-64.so.2"), "--library-path", lib, path}, nil
		}
	}
	return nil, fmt.Errorf("find %s below %q: %w", name, r, os.ErrNotExist)
}

func (r OVNRoot) schema(path string) string { return filepath.Join("/", string(r), "usr/share", path) }

// Version is what ovn-northd says of itself.
func (r OVNRoot) Version() (string, error) {
	argv, err := r.Program("ovn-northd")
	if err != nil {
		return "", err
	}
	out, err := exec.Command(argv[0], append(argv[1:], "--version")...).Output()
	if err != nil {
		return "", fmt.Errorf("ask ovn-northd for its version: %w", err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(line, "ovn-northd "), nil
}

// OVN is both databases and ovn-northd.
type OVN struct {
	root           OVNRoot
	dir            string
	nb, sb, northd *process
}

// StartOVN starts OVN's central programs on sockets in the folder.
func StartOVN(ctx context.Context, dir string, root OVNRoot) (*OVN, error) {
	o := &OVN{root: root, dir: dir}
	var err error
	if o.nb, err = o.StartDatabase(ctx, "nb", "ovn/ovn-nb.ovsschema"); err != nil {
		return nil, errors.Join(err, o.Stop())
	}
	if o.sb, err = o.StartDatabase(ctx, "sb", "ovn/ovn-sb.ovsschema"); err != nil {
		return nil, errors.Join(err, o.Stop())
	}
	o.northd, err = o.Launch("northd", "ovn-northd", "--ovnnb-db="+o.Socket("nb"), "--ovnsb-db="+o.Socket("sb"),
		"--unixctl="+dir+"/northd.ctl", "-vconsole:warn", "-vsyslog:off", "-vfile:off")
	if err != nil {
		return nil, errors.Join(err, o.Stop())
	}
	return o, nil
}

// Launch starts one of OVN's or Open vSwitch's programs.
func (o *OVN) Launch(name, program string, args ...string) (*process, error) {
	argv, err := o.root.Program(program)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, v := range []string{"OVS_RUNDIR", "OVN_RUNDIR", "OVS_LOGDIR", "OVN_LOGDIR", "OVS_DBDIR"} {
		env = append(env, v+"="+o.dir)
	}
	return launch(o.dir, name, env, append(argv, args...)...)
}

// Socket is the endpoint of a database.
func (o *OVN) Socket(name string) string { return "unix:" + filepath.Join(o.dir, name+".sock") }

// File is what a database is kept in.
func (o *OVN) File(name string) string { return filepath.Join(o.dir, name+".db") }

// StartDatabase starts an ovsdb-server, on an empty database where there is none.
func (o *OVN) StartDatabase(ctx context.Context, name, schema string) (*process, error) {
	file := o.File(name)
	if _, err := os.Stat(file); err != nil {
		if _, err := o.Run(ctx, "ovsdb-tool", "create", file, o.root.schema(schema)); err != nil {
			return nil, fmt.Errorf("create database %q: %w", file, err)
		}
	}
	p, err := o.Launch(name, "ovsdb-server", "--remote=p"+o.Socket(name), "--unixctl="+filepath.Join(o.dir, name+".ctl"),
		"-vconsole:warn", "-vsyslog:off", "-vfile:off", file)
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(o.dir, name+".sock")
	// The file is there a little before the server listens.
	err = Until(ctx, 10*time.Second, 2*time.Millisecond, "something listens on "+socket, func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// Listen has a database listen on a free port of 127.0.0.1 as well, and returns the port.
func (o *OVN) Listen(ctx context.Context, database string) (int, error) {
	address, err := freeAddress()
	if err != nil {
		return 0, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	control := filepath.Join(o.dir, database+".ctl")
	if _, err := o.Run(ctx, "ovs-appctl", "-t", control, "ovsdb-server/add-remote", "ptcp:"+port+":"+host); err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// Wipe loses the northbound database and starts an empty one. northd is paused and would obey it only after resume, as
// it is in the product, where it gets to see the database when it is filled.
func (o *OVN) Wipe(ctx context.Context) (resume func(), err error) {
	_ = o.northd.cmd.Process.Signal(syscall.SIGSTOP)
	resume = func() { _ = o.northd.cmd.Process.Signal(syscall.SIGCONT) }
	o.nb.kill()
	for _, name := range []string{"nb.db", "nb.sock", ".nb.db.~lock~"} {
		if err := os.Remove(filepath.Join(o.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return resume, fmt.Errorf("wipe the northbound database: %w", err)
		}
	}
	o.nb, err = o.StartDatabase(ctx, "nb", "ovn/ovn-nb.ovsschema")
	return resume, err
}

// Sync waits until ovn-northd has brought into the southbound database what the northbound one holds.
func (o *OVN) Sync(ctx context.Context) error {
	_, err := o.Run(ctx, "ovn-nbctl", "--db="+o.Socket("nb"), "--timeout=600", "--wait=sb", "sync")
	return err
}

// Recomputes is how often ovn-northd has translated all that it reads, and not what had changed.
func (o *OVN) Recomputes(ctx context.Context) (int, error) {
	out, err := o.Run(ctx, "ovs-appctl", "-t", filepath.Join(o.dir, "northd.ctl"), "inc-engine/show-stats", "northd", "recompute")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return 0, fmt.Errorf("count recomputes of ovn-northd in %q: %w", out, err)
	}
	return n, nil
}

// Run runs one of OVN's or Open vSwitch's tools and returns what it prints.
func (o *OVN) Run(ctx context.Context, program string, args ...string) (string, error) {
	argv, err := o.root.Program(program)
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, argv[0], append(argv[1:], args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Stop ends them.
func (o *OVN) Stop() error { return errors.Join(o.northd.stop(), o.sb.stop(), o.nb.stop()) }

// PIDs are its processes, by their names in Usage.
func (o *OVN) PIDs() map[string]int {
	return map[string]int{NB: o.nb.pid(), SB: o.sb.pid(), Northd: o.northd.pid()}
}
