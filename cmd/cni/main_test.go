//go:build integration

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
)

// plugin is the built binary. The tests have a /run of their own, so that the
// agent's socket stands where it does on a node.
var plugin string

func TestMain(m *testing.M) { nstest.Main(m, build) }

// build builds into /run, which ends with the process.
func build() error {
	plugin = "/run/l2sm-plugin"
	cmd := exec.Command("go", "build", "-o", plugin, ".")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// agent answers on the socket of a node's agent until the test ends, and notes
// what it is asked.
func agent(t *testing.T, answer func(*cni.Call) (*types100.Result, error)) *[]cni.Call {
	t.Helper()
	var calls []cni.Call
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- cni.Serve(ctx, cni.Socket, func(_ context.Context, call *cni.Call) (*types100.Result, error) {
			calls = append(calls, *call)
			return answer(call)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := os.Remove(cni.Socket); err != nil {
			t.Error(err)
		}
	})
	gomega.NewWithT(t).Eventually(func() error { _, err := os.Stat(cni.Socket); return err }, "5s", "5ms").Should(gomega.Succeed())
	return &calls
}

// run starts the plugin as a runtime does.
func run(t *testing.T, command, stdin string) (stdout string, failed bool) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(plugin)
	cmd.Env = []string{
		"CNI_COMMAND=" + command, "CNI_CONTAINERID=4f2a9c1e6f0b", "CNI_NETNS=/run/netns/cni-1", "CNI_IFNAME=net1", "CNI_PATH=/opt/cni/bin",
		"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=ping;K8S_POD_UID=4f2a9c1e-0000-4000-8000-000000000000",
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run the plugin: %v", err)
	}
	if errs.Len() > 0 {
		t.Errorf("the plugin wrote to its standard error: %s", errs.String())
	}
	return out.String(), err != nil
}

func fails(t *testing.T, command, stdin string) types.Error {
	t.Helper()
	out, failed := run(t, command, stdin)
	if !failed {
		t.Fatalf("%s succeeded and printed %q, want an error", command, out)
	}
	var e types.Error
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatalf("%s failed with %q, which is no CNI error: %v", command, out, err)
	}
	return e
}

const config = `{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm"}`

func TestAdd(t *testing.T) {
	calls := agent(t, func(*cni.Call) (*types100.Result, error) {
		return &types100.Result{
			CNIVersion: "1.1.0",
			Interfaces: []*types100.Interface{{Name: "net1", Mac: "0a:58:0a:65:02:0a", Mtu: 1400, Sandbox: "/run/netns/cni-1"}},
		}, nil
	})
	for _, version := range []string{"0.4.0", "1.0.0", "1.1.0"} {
		out, failed := run(t, "ADD", strings.Replace(config, "1.1.0", version, 1))
		if failed {
			t.Fatalf("ADD of version %s failed: %s", version, out)
		}
		var got types100.Result
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		if got.CNIVersion != version || len(got.Interfaces) != 1 || got.Interfaces[0].Mac != "0a:58:0a:65:02:0a" {
			t.Errorf("ADD printed %s, want the agent's result in version %s", out, version)
		}
	}
	want := cni.Call{
		Command: cni.Add, Container: "4f2a9c1e6f0b", Netns: "/run/netns/cni-1", IfName: "net1",
		Pod:    cni.Pod{Namespace: "default", Name: "ping", UID: "4f2a9c1e-0000-4000-8000-000000000000"},
		Config: cni.Config{CNIVersion: "0.4.0", Name: "l2sm"},
	}
	if diff := cmp.Diff(want, (*calls)[0]); diff != "" {
		t.Errorf("what the runtime says reaches the agent (-want +got):\n%s", diff)
	}
}

func TestOtherCommands(t *testing.T) {
	calls := agent(t, func(*cni.Call) (*types100.Result, error) { return nil, nil })
	var want, got []cni.Command
	for _, command := range []cni.Command{cni.Del, cni.Check, cni.Status, cni.GC} {
		if out, failed := run(t, string(command), config); failed || out != "" {
			t.Errorf("%s printed %q (failed: %v), want success without a word", command, out, failed)
		}
		want = append(want, command)
	}
	for _, call := range *calls {
		got = append(got, call.Command)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("each command reaches the agent (-want +got):\n%s", diff)
	}
}

func TestAgentRefuses(t *testing.T) {
	agent(t, func(*cni.Call) (*types100.Result, error) {
		return nil, cni.TryAgain(errors.New("waits for its network"))
	})
	for _, command := range []string{"ADD", "DEL", "CHECK", "STATUS", "GC"} {
		if e := fails(t, command, config); e.Code != types.ErrTryAgainLater || e.Msg != "waits for its network" {
			t.Errorf("%s failed with code %d %q, want the agent's code and words", command, e.Code, e.Msg)
		}
	}
}

func TestDeadAgent(t *testing.T) {
	for command, code := range map[string]uint{"ADD": 11, "CHECK": 11, "GC": 11, "STATUS": 50} {
		e := fails(t, command, config)
		if e.Code != code || !strings.Contains(e.Msg, cni.Socket) || !strings.Contains(e.Msg, "kubectl") {
			t.Errorf("%s without an agent failed with code %d %q, want code %d, the socket and what to look at", command, e.Code, e.Msg, code)
		}
	}
}

// Without an agent DEL removes what is the container's, and of the DEL's ADD.
func TestDelWithoutAgent(t *testing.T) {
	const container = "4f2a9c1e6f0b"
	l, pod := link.New("/proc/sys"), nstest.NewNS(t)
	for name, owner := range map[string]link.Owner{
		"net1": {Container: container, IfName: "net1", Config: "l2sm"},
		"net2": {Container: container, IfName: "net1", Config: "l2sm"}, // one ADD wires several
		"net3": {Container: container, IfName: "net3", Config: link.HotConfig},
		"net4": {Container: container, IfName: "net4", Config: "other"},
		"net5": {Container: "another", IfName: "net1", Config: "l2sm"},
	} {
		end := link.HostEnd{Name: link.HostName(owner.Container, name), Owner: owner}
		if err := l.Create(end, pod, link.Interface{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, name[3]}, MTU: 1400}, link.Userspace); err != nil {
			t.Fatal(err)
		}
	}
	foreign := netlink.NewVeth(netlink.LinkAttrs{Name: "veth-other", TxQLen: -1})
	foreign.PeerName = "veth-peer"
	if err := netlink.LinkAdd(foreign); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the runtime may repeat itself
		if out, failed := run(t, "DEL", config); failed || out != "" {
			t.Fatalf("DEL printed %q (failed: %v)", out, failed)
		}
		var left []string
		for _, name := range []string{"net1", "net2", "net3", "net4", "net5"} {
			if _, err := link.Inspect(pod, name); err == nil {
				left = append(left, name)
			}
		}
		if diff := cmp.Diff([]string{"net4", "net5"}, left); diff != "" {
			t.Errorf("interfaces after the DEL of net1 (-want +got):\n%s", diff)
		}
	}
	if err := netlink.LinkDel(foreign); err != nil {
		t.Errorf("a link of another's: %v", err)
	}
}

// The socket of an agent that was killed is still there, and refuses.
func TestDelWithDeadSocket(t *testing.T) {
	if err := os.MkdirAll(filepath.Dir(cni.Socket), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: cni.Socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	t.Cleanup(func() { os.Remove(cni.Socket) })
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if out, failed := run(t, "DEL", config); failed || out != "" {
		t.Errorf("DEL printed %q (failed: %v)", out, failed)
	}
}

func TestRubbish(t *testing.T) {
	calls := agent(t, func(*cni.Call) (*types100.Result, error) { return nil, nil })
	for command, want := range map[string]map[string]uint{
		"ADD":  {"": types.ErrDecodingFailure, "rubbish": types.ErrDecodingFailure, "{}": types.ErrInvalidNetworkConfig, strings.Replace(config, "1.1.0", "9.0.0", 1): types.ErrIncompatibleCNIVersion},
		"DEL":  {"rubbish": types.ErrDecodingFailure},
		"GC":   {strings.Replace(config, "1.1.0", "1.0.0", 1): types.ErrIncompatibleCNIVersion},
		"DIAL": {config: types.ErrInvalidEnvironmentVariables},
	} {
		for stdin, code := range want {
			if e := fails(t, command, stdin); e.Code != code {
				t.Errorf("%s with %q failed with code %d %q, want code %d", command, stdin, e.Code, e.Msg, code)
			}
		}
	}
	if len(*calls) > 0 {
		t.Errorf("rubbish reached the agent: %v", *calls)
	}
}

func TestVersion(t *testing.T) {
	out, failed := run(t, "VERSION", `{"cniVersion":"1.1.0"}`)
	if failed || !strings.Contains(out, `"supportedVersions":["0.4.0","1.0.0","1.1.0"]`) {
		t.Errorf("VERSION printed %q (failed: %v), without asking an agent", out, failed)
	}
}
