package lab

import (
	"fmt"
	"io"
	"time"
)

// progress tells a person what is going on: a line per step, with the time it took and the time since the start.
type progress struct {
	out   io.Writer
	start time.Time
}

func newProgress(out io.Writer) progress { return progress{out: out, start: time.Now()} }

func (p progress) step(what string, do func() error) error {
	began := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(p.out, "%6.1fs  %-44s %5.1fs\n", time.Since(p.start).Seconds(), what, time.Since(began).Seconds())
	return nil
}

// say prints a line before a step that takes long.
func (p progress) say(format string, args ...any) {
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

// tell prints how far a step is, time after time, until what it returns is called.
func (p progress) tell(every time.Duration, how func() string) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				p.say("%s", how())
			}
		}
	}()
	return func() { close(done) }
}
