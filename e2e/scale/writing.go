package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// writing is the process of zone writers.
type writing struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	input *json.Encoder
	out   *bufio.Reader
	done  chan error
}

// startWriters starts this program again, as `scale writers`. Its complaints go to a file.
func startWriters(input writersInput, log string) (*writing, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	w := &writing{cmd: exec.Command(self, "writers"), done: make(chan error, 1)}
	w.cmd.Stderr = file
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.input, w.out = json.NewEncoder(w.in), bufio.NewReader(out)
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start zone writers: %w", err)
	}
	return w, w.input.Encode(input)
}

// state asks for it. A writer that has ended answers with an error.
func (w *writing) state() (writersState, error) {
	var s writersState
	if err := w.input.Encode("state"); err != nil {
		return s, fmt.Errorf("ask zone writers, whose log says more: %w", err)
	}
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		return s, fmt.Errorf("ask zone writers, whose log says more: %w", err)
	}
	return s, json.Unmarshal(line, &s)
}

func (w *writing) pid() int { return w.cmd.Process.Pid }

// Close ends the process: its input ends, and it is killed where that is not enough.
func (w *writing) Close() error {
	_ = w.in.Close()
	go func() { w.done <- w.cmd.Wait() }()
	select {
	case err := <-w.done:
		if err != nil {
			return fmt.Errorf("zone writers ended with: %w", err)
		}
		return nil
	case <-time.After(20 * time.Second):
		return errors.Join(errors.New("zone writers did not end by themselves"), w.cmd.Process.Kill(), <-w.done)
	}
}
