package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"l2sm.io/l2sm/e2e/lab/image"
)

// signals is a log that tells when a line arrives that holds a text.
type signals struct {
	text  string
	heard chan struct{}
}

func (s signals) Write(line []byte) (int, error) {
	if strings.Contains(string(line), s.text) {
		s.heard <- struct{}{}
	}
	return len(line), nil
}

// slowMaker makes something that takes until it is released, and counts how often it was begun.
type slowMaker struct {
	begun   chan struct{}
	release chan struct{}
	times   atomic.Int32
}

func newSlowMaker() *slowMaker {
	return &slowMaker{begun: make(chan struct{}, 2), release: make(chan struct{})}
}

func (s *slowMaker) work(file string) error {
	s.times.Add(1)
	s.begun <- struct{}{}
	<-s.release
	return os.WriteFile(file, []byte("a program"), 0o755)
}

// together runs ensure twice at once: the second begins when the first is in the middle of its work, which goes on when
// the second waits, or works too.
func together(t *testing.T, s *slowMaker, ensure func(p progress) error) {
	t.Helper()
	waits := signals{text: "waiting", heard: make(chan struct{}, 1)}
	results := make(chan error, 2)
	go func() { results <- ensure(newProgress(signals{text: "nothing"})) }()
	<-s.begun
	go func() { results <- ensure(newProgress(waits)) }()
	select {
	case <-waits.heard:
	case <-s.begun:
		t.Error("both work at once, and the second says nothing of waiting")
	}
	close(s.release)
	for range 2 {
		if err := <-results; err != nil {
			t.Errorf("one of two at once fails: %v", err)
		}
	}
	if n := s.times.Load(); n != 1 {
		t.Errorf("made %d times, want once: the second uses what the first has made", n)
	}
}

func TestTwoBuildProgramsAtOnce(t *testing.T) {
	s, cache := newSlowMaker(), Cache(t.TempDir())
	repository := newRepository(t, map[string]string{
		"e2e/lab/build/kubernetes/go.mod": "module x\n\nrequire k8s.io/kubernetes v1.36.3\n",
	})
	together(t, s, func(p progress) error {
		b, err := kubernetesModule.locate(cache, repository)
		if err != nil {
			return err
		}
		b.compile = func(_ context.Context, _ progress, out string) error { return s.work(filepath.Join(out, "kubernetes")) }
		if err := b.ensure(t.Context(), p); err != nil {
			return err
		}
		_, err = os.Stat(filepath.Join(b.dir, "etcd"))
		return err
	})
}

func TestTwoBuildAnImageAtOnce(t *testing.T) {
	s, cache := newSlowMaker(), Cache(t.TempDir())
	together(t, s, func(p progress) error {
		images := Images{Cache: cache, Log: p.out}
		r := recipe{repository: "slow", key: "1", layer: func(_ context.Context, out string) error {
			program := out + ".program"
			if err := s.work(program); err != nil {
				return err
			}
			return image.Files{Programs: map[string]string{"/program": program}}.Write(out)
		}}
		file, err := images.make(t.Context(), "slow", r)
		if err != nil {
			return err
		}
		_, err = os.Stat(file)
		return err
	})
}

// Whoever gives up waiting says for what.
func TestWaitForCacheIsInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "programs", "kubernetes")
	unlock, err := lockCache(t.Context(), path, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = lockCache(ctx, path, cancel)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
		t.Errorf("an interrupted wait returns %v, want an error that names %q", err, path)
	}
}
