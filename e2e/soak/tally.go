package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// kinds of operations.
const (
	attached = "attaches"
	detached = "detaches"
	moved    = "moves"
)

// tally counts what a run does and finds. Its zero value is ready for use.
type tally struct {
	mu            sync.Mutex
	done          map[string]int // by kind of operation
	kills         map[string]int // by program
	seen          int
	discrepancies []string
}

func (t *tally) add(kind string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done == nil {
		t.done = map[string]int{}
	}
	t.done[kind] += n
}

func (t *tally) killed(program string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kills == nil {
		t.kills = map[string]int{}
	}
	t.kills[program]++
}

func (t *tally) change() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen++
}

func (t *tally) changes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen
}

func (t *tally) discrepancy(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.discrepancies = append(t.discrepancies, what)
}

func (t *tally) found() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.discrepancies)
}

// total is how many operations are done.
func (t *tally) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return sum(t.done)
}

// operations says what is done and what was killed.
func (t *tally) operations() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%s (%s), %s (%s)", plural(sum(t.done), "operation"), parts(t.done), plural(sum(t.kills), "kill"), parts(t.kills))
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

func parts(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(all, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
