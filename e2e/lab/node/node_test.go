package node

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMountsBelow(t *testing.T) {
	const mountinfo = `22 27 0:21 / /proc rw - proc proc rw
23 27 0:5 / /run rw - tmpfs tmpfs rw
24 23 0:6 / /run/netns rw shared:3 - tmpfs tmpfs rw
25 24 0:4 net:[4026532300] /run/netns/dev-n1 rw shared:3 - nsfs nsfs rw
26 27 0:7 / /runtime rw - tmpfs tmpfs rw
`
	want := []string{"/run/netns/dev-n1", "/run/netns"}
	if diff := cmp.Diff(want, mountsBelow(mountinfo, "/run")); diff != "" {
		t.Errorf("the innermost is let go first, and neighbours stay (-want +got):\n%s", diff)
	}
}

// asInit makes this test program behave as PID 1 does, in a process of its own: it reaps every child.
const asInit = "LAB_TEST_SERVICE"

func TestMain(m *testing.M) {
	script := os.Getenv(asInit)
	if script == "" {
		os.Exit(m.Run())
	}
	services := []service{{argv: []string{"sh", "-c", script}, log: os.DevNull}}
	if err := supervise(context.Background(), services); err != nil {
		os.Exit(1)
	}
}

func TestSuperviseStartsAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "starts")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asInit+"=echo start >> "+file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()

	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		starts, _ := os.ReadFile(file)
		if strings.Count(string(starts), "start") == 2 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("a service that ended is not started again")
}

func TestSuperviseReportsWhatCannotStart(t *testing.T) {
	ended := make(chan error, 1)
	go func() {
		ended <- supervise(context.Background(), []service{{argv: []string{"/nowhere/kubelet"}, log: os.DevNull}})
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "/nowhere/kubelet") {
			t.Errorf("supervise: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("a node without a kubelet seems to run")
	}
}
