package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/e2e/lab"
)

// barePods makes pods without a network, and compares them with those of other runs.
func (o options) barePods(ctx context.Context, out io.Writer, l *lab.Lab) error {
	pods, err := plainPods(ctx, l)
	if err != nil {
		return err
	}
	defer pods.end()
	pods.ending = &metav1.DeleteOptions{}
	runs, err := o.makePeers(ctx, out, pods, peerKinds[:1])
	if err != nil {
		return err
	}
	rows, err := comparePeers(runs)
	if err != nil {
		return err
	}
	if err := printRows(out, rows); err != nil {
		return err
	}
	if err := writeJSON(o.json, rows); err != nil || o.with == "" {
		return err
	}
	with, err := readRows(o.with)
	if err != nil {
		return err
	}
	before, err := readRows(o.without)
	if err != nil {
		return err
	}
	for name, ratio := range bareRatios(with, before, rows) {
		fmt.Fprintf(out, "%s, p50: with l2sm %.2f times what it is without, before and after\n", name, ratio)
	}
	return nil
}

// bareRatios are, for each row that all three runs have, its median with l2sm to the mean of those without.
func bareRatios(with, before, after []row) map[string]float64 {
	first, last, ratios := medians(before), medians(after), map[string]float64{}
	for _, w := range with {
		b, hadBefore := first[w.Name]
		a, hasAfter := last[w.Name]
		if hadBefore && hasAfter {
			ratios[w.Name] = 2 * w.P50 / (b + a)
		}
	}
	return ratios
}

func medians(rows []row) map[string]float64 {
	of := map[string]float64{}
	for _, r := range rows {
		of[r.Name] = r.P50
	}
	return of
}

func readRows(file string) ([]row, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the figures of another run: %w", err)
	}
	var rows []row
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("read the figures of %s: %w", file, err)
	}
	return rows, nil
}
