package stack

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A process that was paused, as northd is, must end all the same.
func TestStopPausedProcess(t *testing.T) {
	dir := t.TempDir()
	p, err := launch(dir, "sleeper", []string{"GREETING=hello"}, "sh", "-c", `echo "$GREETING"; kill -STOP $$; sleep 60`)
	if err != nil {
		t.Fatal(err)
	}
	pid := p.pid()
	log := filepath.Join(dir, "sleeper.log")
	err = Until(t.Context(), 10*time.Second, time.Millisecond, "the process has spoken", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "hello")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil || !p.ended() || p.pid() != 0 {
		t.Error("the process runs on")
	}
	if err := p.stop(); err != nil {
		t.Errorf("stop again: %v", err)
	}
}

func TestUntil(t *testing.T) {
	never := func() bool { return false }
	if err := Until(t.Context(), time.Millisecond, time.Millisecond, "pigs fly", never); err == nil || !strings.Contains(err.Error(), "pigs fly") {
		t.Errorf("a wait that is over returns %v, want what it waited for", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Until(ctx, time.Hour, time.Millisecond, "pigs fly", never); err == nil {
		t.Error("an interrupted wait returns no error")
	}
	if err := Until(ctx, time.Hour, time.Millisecond, "it is so", func() bool { return true }); err != nil {
		t.Errorf("what holds already needs no time: %v", err)
	}
}
