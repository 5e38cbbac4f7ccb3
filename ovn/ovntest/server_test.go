package ovntest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/ovn/ovntest"
)

func TestWipe(t *testing.T) {
	server := ovntest.NewNorthbound(t, ovntest.WithTCP())
	endpoint := server.Endpoint()
	server.Ctl("ls-add", "one")
	server.Ctl("ls-add", "two")
	if got := server.Commits(); got != 2 {
		t.Errorf("commits: want 2, got %d", got)
	}

	server.Wipe()

	if got := server.Ctl("ls-list"); got != "" {
		t.Errorf("switches in the wiped database: %s", got)
	}
	if got := server.Commits(); got != 0 {
		t.Errorf("commits: want 0, got %d", got)
	}
	if got := server.Endpoint(); got != endpoint {
		t.Errorf("endpoint: was %s, is %s", endpoint, got)
	}
}

// whenKilled makes TestServerEndsWithProgram the program that is killed.
const whenKilled = "OVNTEST_WHEN_KILLED"

// A test program that is killed runs no clean-up, and its server ends too.
func TestServerEndsWithProgram(t *testing.T) {
	if os.Getenv(whenKilled) != "" {
		server := ovntest.NewNorthbound(t)
		fmt.Println(server.Pid())
		select {}
	}

	program := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithProgram$")
	program.Env = append(os.Environ(), whenKilled+"=yes", "TMPDIR="+t.TempDir())
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("read the server's pid: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("read the server's pid: %v", err)
	}

	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait() // it was killed

	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // fails when all is well
	ended := func() bool { return hasEnded(pid) }
	NewWithT(t).Eventually(ended, 5*time.Second, time.Millisecond).Should(BeTrue(), "ovsdb-server %d is still there", pid)
}

// hasEnded says whether a process has ended, its parent having been told or not.
func hasEnded(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return errors.Is(err, fs.ErrNotExist) || strings.Contains(string(status), "State:\tZ")
}
