//go:build kernel

package vm_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"l2sm.io/l2sm/e2e/kernel/vm"
	"l2sm.io/l2sm/e2e/lab"
)

func TestMain(m *testing.M) {
	if vm.InGuest() {
		vm.Guest()
	}
	os.Exit(m.Run())
}

func options(t *testing.T, out io.Writer, script string) vm.Options {
	t.Helper()
	cache, err := lab.DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return vm.Options{
		Cache: string(cache), Init: self, Args: []string{"bash", "-c", script}, Dir: t.TempDir(), Env: []string{"GREETING=hello"},
		Timeout: 5 * time.Minute, Stdout: out, Log: os.Stderr,
	}
}

// The guest has the command, its folder, this machine's files and ports, and leaves nothing in them.
func TestRun(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			fmt.Fprintln(conn, "the host's loopback answers")
			conn.Close()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := options(t, &out, "echo $GREETING; uname -v; pwd; cat </dev/tcp/"+vm.HostAddress+"/"+port+"; touch made; echo to stderr >/dev/stderr; modprobe openvswitch; exit 7")
	code, err := vm.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if code != 7 {
		t.Errorf("exit code %d, want the command's, 7", code)
	}
	for _, want := range []string{"hello\n", "Debian", o.Dir, "the host's loopback answers\n", "to stderr\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output %q lacks %q", out.String(), want)
		}
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "made")); err == nil {
		t.Error("what the guest wrote is on the host")
	}
}

// Whatever the guest does, it ends.
func TestRunEnds(t *testing.T) {
	o := options(t, io.Discard, "sleep 1000")
	o.Timeout = 3 * time.Second
	if code, err := vm.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "ended after 3s") {
		t.Errorf("got %d, %v; want an error that says that the guest was ended", code, err)
	}
}
