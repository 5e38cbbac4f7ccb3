package main

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestLogLines(t *testing.T) {
	out := &bytes.Buffer{}
	log := newLogger(out, 0).WithName("l2sm").WithValues("L2Network", types.NamespacedName{Namespace: "a", Name: "n"})
	one, two := log.WithValues("reconcileID", "1"), log.WithValues("reconcileID", "2", "again", true)
	one.Info("Northbound committed", "added", 1)
	two.Info("Northbound committed", "added", 2)
	one.V(1).Info("not at this level")
	log.Error(io.EOF, "Away")

	var got []map[string]any
	for lines := json.NewDecoder(out); ; {
		line := map[string]any{}
		if err := lines.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		delete(line, "ts")
		got = append(got, line)
	}
	network := map[string]any{"namespace": "a", "name": "n"}
	want := []map[string]any{
		{"level": "info", "logger": "l2sm", "msg": "Northbound committed", "L2Network": network, "reconcileID": "1", "added": 1.0},
		{"level": "info", "logger": "l2sm", "msg": "Northbound committed", "L2Network": network, "reconcileID": "2", "again": true, "added": 2.0},
		{"level": "error", "logger": "l2sm", "msg": "Away", "L2Network": network, "error": "EOF"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// A reconcile that logs nothing pays little for its logger: an encoder is 1 KB.
func TestSilentLoggersAreCheap(t *testing.T) {
	log := newLogger(io.Discard, 0)
	made := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			log.WithValues("L2Network", "a/n").WithValues("reconcileID", "1")
		}
	})
	if bytes := made.AllocedBytesPerOp(); bytes > 1_500 {
		t.Errorf("two loggers cost %d bytes, want at most 1500", bytes)
	}
}
