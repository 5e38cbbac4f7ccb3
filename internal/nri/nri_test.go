package nri_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/nri"
	"l2sm.io/l2sm/internal/nri/nritest"
)

// handler notes what it is told, and does what a test says.
type handler struct {
	mu    sync.Mutex
	told  []string
	admit func(context.Context, nri.Sandbox) error
}

func (h *handler) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, what)
}

func (h *handler) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.told, " ")
}

func (h *handler) Connected(_ context.Context, bare []nri.Sandbox) {
	what := "connected"
	for _, s := range bare {
		what += "," + s.ID
	}
	h.note(what)
}

func (h *handler) Lost(error) { h.note("lost") }

func (h *handler) Started(ctx context.Context, s nri.Sandbox) {
	h.note("started:" + s.ID + s.Netns)
	_ = h.admit(ctx, s)
}

func (h *handler) Admit(ctx context.Context, s nri.Sandbox) error {
	h.note("admit:" + s.ID)
	return h.admit(ctx, s)
}

func (h *handler) Stopped(_ context.Context, s nri.Sandbox) { h.note("stopped:" + s.ID) }

// follow has a handler follow the runtime until the test ends.
func follow(t *testing.T, socket string) *handler {
	t.Helper()
	h := &handler{admit: func(context.Context, nri.Sandbox) error { return nil }}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- nri.Follow(ctx, socket, logr.Discard(), h) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Follow ended with %v", err)
		}
	})
	return h
}

func connected(t *testing.T, r *nritest.Runtime) {
	t.Helper()
	NewWithT(t).Eventually(r.Plugins, "10s", "5ms").Should(Equal(1))
}

func TestCalls(t *testing.T) {
	r := nritest.Start(t, t.TempDir())
	h := follow(t, r.Socket())
	connected(t, r)
	s, other := nri.Sandbox{ID: "a", PodNamespace: "default", PodName: "ping", PodUID: "1", Netns: "/run/netns/a"}, nri.Sandbox{ID: "b"}
	for _, err := range []error{r.Run(s), r.Create(s), r.Run(other)} {
		if err != nil {
			t.Error(err)
		}
	}
	h.admit = func(context.Context, nri.Sandbox) error { return errors.New("no network yet") }
	if err := r.Create(other); err == nil || !strings.Contains(err.Error(), "no network yet") {
		t.Errorf("the runtime is told %v", err)
	}
	if err := r.Remove(s); err != nil {
		t.Error(err)
	}
	if want := "connected started:a/run/netns/a admit:a started:b admit:b stopped:a"; h.all() != want {
		t.Errorf("the handler was told %q, want %q", h.all(), want)
	}
}

// The runtime drops a plugin that is late, and the pods that follow start as if
// there was none.
func TestWorkThatIsLateOrPanics(t *testing.T) {
	cases := map[string]struct {
		work  func(context.Context, nri.Sandbox) error
		says  string
		least time.Duration
	}{
		"Late":  {func(context.Context, nri.Sandbox) error { <-t.Context().Done(); return nil }, "not done in the time", time.Second},
		"Told":  {func(ctx context.Context, _ nri.Sandbox) error { <-ctx.Done(); return context.Cause(ctx) }, "not done in the time", time.Second},
		"Panic": {func(context.Context, nri.Sandbox) error { panic("no map") }, "panic: no map", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := nritest.Start(t, t.TempDir())
			h := follow(t, r.Socket())
			connected(t, r)
			h.admit = tc.work
			began := time.Now()
			err := r.Create(nri.Sandbox{ID: "a"})
			if took := time.Since(began); err == nil || !strings.Contains(err.Error(), tc.says) || took < tc.least || took > 1900*time.Millisecond {
				t.Errorf("after %v the runtime is told %v, want an error that says %q within its 2 s", took, err, tc.says)
			}
			if err := r.Run(nri.Sandbox{ID: "b"}); err != nil {
				t.Errorf("a sandbox failed with its plugin: %v", err)
			}
			h.admit = func(context.Context, nri.Sandbox) error { return errors.New("still asked") }
			if err := r.Create(nri.Sandbox{ID: "b"}); err == nil || !strings.Contains(err.Error(), "still asked") {
				t.Errorf("the plugin was dropped: %v", err)
			}
		})
	}
}

func TestRuntimeRestarts(t *testing.T) {
	r := nritest.Start(t, t.TempDir())
	h := follow(t, r.Socket())
	connected(t, r)
	used, bare := nri.Sandbox{ID: "used"}, nri.Sandbox{ID: "bare"}
	for _, err := range []error{r.Run(used), r.Create(used), r.Run(bare)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.Stop()
	NewWithT(t).Eventually(h.all, "5s", "5ms").Should(ContainSubstring("lost"))
	r.Serve()
	began := time.Now()
	connected(t, r)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v to be there again", took)
	}
	NewWithT(t).Eventually(h.all, "5s", "5ms").Should(HaveSuffix("connected,bare"), "a sandbox without containers is told of")
}

// A runtime that offers no NRI has no socket, and may be configured to have one.
func TestSocketAppearsLate(t *testing.T) {
	folder := t.TempDir()
	h := follow(t, folder+"/nri.sock")
	NewWithT(t).Eventually(h.all, "5s", "5ms").Should(Equal("lost"))
	NewWithT(t).Consistently(h.all, "500ms", "50ms").Should(Equal("lost"), "nothing is tried while there is nothing")
	r := nritest.Start(t, folder)
	connected(t, r)
}

// A call that is under way when the connection ends has no one to tell.
func TestConnectionEndsAmidstACall(t *testing.T) {
	r := nritest.Start(t, t.TempDir())
	h := follow(t, r.Socket())
	connected(t, r)
	began, cause := make(chan bool), make(chan error, 1)
	h.admit = func(ctx context.Context, _ nri.Sandbox) error {
		close(began)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return ctx.Err()
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(nri.Sandbox{ID: "a"}) }()
	<-began
	r.Cut()
	if err := <-cause; !errors.Is(err, context.Canceled) {
		t.Errorf("the call ends with %v, want a canceled context", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the sandbox fails with its plugin: %v", err)
	}
	NewWithT(t).Eventually(h.all, "5s", "5ms").Should(ContainSubstring("lost"))
}
