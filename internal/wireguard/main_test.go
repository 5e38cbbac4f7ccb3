//go:build integration

package wireguard

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/link/nstest"
)

// asEdge has the test's program be an edge's process: two that run wireguard-go can't
// share a mount namespace, as both have the socket of one name.
const asEdge = "L2SM_TEST_WIREGUARD_EDGE"

func TestMain(m *testing.M) {
	if os.Getenv(asEdge) == "" {
		nstest.Main(m)
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

var patience = nstest.Patience(20 * time.Second)

// onKernel says whether this kernel is to have WireGuard: the virtual machine's (e2e/kernel).
func onKernel() bool { return os.Getenv("L2SM_TEST_DATAPATH") == "system" }

// order is what a test has an edge's process do.
type order struct {
	Do     string
	Key    string
	Config Config
	Silent []netip.Addr
}

// result is what came of it.
type result struct {
	Err                     string
	NoLink, Kernel, Changed bool
	Shared                  *SharedKeyError
}

// serve is the edge's process.
func serve(in io.Reader, out io.Writer) error {
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	d := New(funcr.New(func(prefix, args string) { fmt.Fprintln(os.Stderr, prefix, args) }, funcr.Options{}))
	orders, results := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := results.Encode(obey(d, o)); err != nil {
			return err
		}
	}
}

func obey(d *Device, o order) result {
	ctx := context.Background()
	var r result
	var err error
	if o.Key != "" {
		if o.Config.PrivateKey, err = ParsePrivateKey(o.Key); err != nil {
			return result{Err: err.Error()}
		}
	}
	switch o.Do {
	case "bring":
		err = d.Bring(ctx, o.Config)
	case "address":
		err = d.Address(ctx, o.Config)
	case "choose":
		r.Changed, err = d.Choose(ctx, o.Silent)
	case "remove":
		err = d.Remove()
	case "stray":
		err = stray(o.Config.Peers[0].Keys[0], o.Silent)
	case "hide": // as where no component gives it
		err = unix.Mount("tmpfs", "/dev/net", "tmpfs", 0, "")
	}
	if err != nil {
		r.Err, r.NoLink = err.Error(), errors.Is(err, ErrNoLink)
		errors.As(err, &r.Shared)
	}
	r.Kernel = d.Kernel()
	return r
}

// edge is a process of its own in a network namespace.
type edge struct {
	t     testing.TB
	netns string
	// out is its address outside.
	out    netip.Addr
	key    PrivateKey
	config Config

	orders  *json.Encoder
	results *json.Decoder
	end     func()
}

// start starts the process; it ends with the test, or by kill. through is a program that
// starts it.
func (e *edge) start(through ...string) {
	e.t.Helper()
	program, err := os.Executable()
	if err != nil {
		e.t.Fatal(err)
	}
	through = append(through, program)
	cmd := exec.Command(through[0], through[1:]...)
	cmd.Env = append(os.Environ(), asEdge+"=1")
	cmd.Stderr = os.Stderr
	// No Pdeathsig: the thread that starts it ends. It ends with its standard input.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	in, err := cmd.StdinPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	nstest.Do(e.t, e.netns, cmd.Start)
	e.orders, e.results = json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out))
	ended := false
	e.end = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	e.t.Cleanup(e.end)
}

func (e *edge) do(what string, silent ...netip.Addr) result {
	e.t.Helper()
	o := order{Do: what, Key: e.key.Text(), Config: e.config, Silent: silent}
	var r result
	if err := errors.Join(e.orders.Encode(o), e.results.Decode(&r)); err != nil {
		e.t.Fatalf("%s of the edge at %s: %v", what, e.out, err)
	}
	return r
}

// must is do for what can't fail.
func (e *edge) must(what string, silent ...netip.Addr) result {
	e.t.Helper()
	r := e.do(what, silent...)
	if r.Err != "" {
		e.t.Fatalf("%s of the edge at %s: %s", what, e.out, r.Err)
	}
	return r
}
