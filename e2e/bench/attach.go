package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"l2sm.io/l2sm/e2e/lab"
)

type options struct {
	lab                      string
	serial, rounds, parallel int
	networks                 int // of peers
	json                     string
	bare                     bool // of peers
	with, without            string
}

// run measures, prints and saves.
func (o options) run(ctx context.Context, out io.Writer) error {
	l, err := lab.Find(o.lab)
	if err != nil {
		return err
	}
	pods, err := newPods(ctx, l)
	if err != nil {
		return err
	}
	defer pods.end()
	floor, err := startFloor(ctx, l)
	if err != nil {
		return err
	}
	defer floor.end()

	began := time.Now()
	attached, bare, floors, err := o.oneByOne(ctx, out, pods, floor)
	if err != nil {
		return err
	}
	together, floorsTogether, err := o.inParallel(ctx, out, pods, floor)
	if err != nil {
		return err
	}
	if err := pods.readLogs(ctx, began, attached, together); err != nil {
		return err
	}
	r, err := evaluate(attached, bare, floors, together, floorsTogether)
	if err != nil {
		return err
	}
	if err := writeJSON(o.json, r); err != nil {
		return err
	}
	if err := r.print(out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nsaved to %s\n", o.json)
	return err
}

// oneByOne alternates a pod without a network, the floor, and a pod with one.
func (o options) oneByOne(ctx context.Context, out io.Writer, pods *pods, floor *floorProcess) (attached, bare []*timeline, floors []floorTimes, _ error) {
	for i := range o.serial {
		if i%10 == 0 {
			fmt.Fprintf(out, "one by one: %d of %d\n", i, o.serial)
		}
		b, err := pods.start(ctx, 1, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		f, err := floor.do(ctx, 1)
		if err != nil {
			return nil, nil, nil, err
		}
		a, err := pods.start(ctx, 1, asking)
		if err != nil {
			return nil, nil, nil, err
		}
		attached, bare, floors = append(attached, a...), append(bare, b...), append(floors, f...)
	}
	return attached, bare, floors, nil
}

func (o options) inParallel(ctx context.Context, out io.Writer, pods *pods, floor *floorProcess) (attached []*timeline, floors []floorTimes, _ error) {
	for i := range o.rounds {
		fmt.Fprintf(out, "%d in parallel: round %d of %d\n", o.parallel, i+1, o.rounds)
		f, err := floor.do(ctx, o.parallel)
		if err != nil {
			return nil, nil, err
		}
		a, err := pods.start(ctx, o.parallel, asking)
		if err != nil {
			return nil, nil, err
		}
		attached, floors = append(attached, a...), append(floors, f...)
	}
	return attached, floors, nil
}

// evaluate makes the report; a stage that no log told of is an error, since a
// figure over what is left would lie.
func evaluate(attached, bare []*timeline, floors []floorTimes, together []*timeline, floorsTogether []floorTimes) (report, error) {
	r := report{Ratios: map[string]float64{}}
	for _, part := range []struct {
		name      string
		rows      *[]row
		timelines []*timeline
		floors    []floorTimes
	}{{"one by one", &r.Serial, attached, floors}, {"in parallel", &r.Parallel, together, floorsTogether}} {
		var floor []float64
		for _, f := range part.floors {
			floor = append(floor, f.Installed)
		}
		base := summarize(floor)
		for _, stage := range stages {
			var values []float64
			for _, t := range part.timelines {
				if !t.complete() {
					return report{}, fmt.Errorf("a pod's stages are not all in the logs: %+v", *t)
				}
				values = append(values, ms(stage.took(t)))
			}
			f := summarize(values)
			*part.rows = append(*part.rows, row{stage.name, f})
			if stage.name == addStage {
				r.Ratios[part.name+": ADD / floor, p50"] = f.P50 / base.P50
				r.Ratios[part.name+": ADD / floor, p99"] = f.P99 / base.P99
			}
		}
		*part.rows = append(*part.rows, row{"the floor: port written, plugged, ovn-installed", base})
	}
	var without, with []float64
	for i := range attached {
		with = append(with, ms(attached[i].ready.Sub(attached[i].created)))
		without = append(without, ms(bare[i].ready.Sub(bare[i].created)))
	}
	plain := summarize(without)
	r.Serial = append(r.Serial, row{"pod created -> pod ready, no network", plain})
	r.AddsToReady = summarize(with).P50 - plain.P50
	return r, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
