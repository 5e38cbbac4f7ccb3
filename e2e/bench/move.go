package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func moveCommand() *cobra.Command {
	o := scene{}
	cmd := &cobra.Command{
		Use:   "move",
		Short: "Measure moves: what a ping stream loses while its attachment changes networks",
		Long: `Moves a running pod's attachment to and fro between two networks, on each of
which a pod answers to the same address, while the pod pings that address every
10 ms. Prints how many pings were lost, and for each move the longest time
between two answers; beside it the same stream without moves.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.move(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.flags(cmd, 50, "moves")
	return cmd
}

const (
	moveInterval = 10 * time.Millisecond
	// moveSpan is how long after a move its stream counts, and how far moves are apart.
	moveSpan = time.Second
)

func (o scene) move(ctx context.Context, out io.Writer) error {
	if err := o.open(ctx, "bench-move"); err != nil {
		return err
	}
	defer o.end()
	networks := []string{"here", "there"}
	for i, name := range networks {
		if err := o.network(ctx, name, "10.97.0.0/24"); err != nil {
			return err
		}
		if err := o.pod(ctx, scenePod{name: "answers-" + name, node: 1 + i, networks: fmt.Sprintf(`[{"name":%q,"ips":["10.97.0.10"],"mac":"02:00:00:00:00:0%d"}]`, name, i+1)}); err != nil {
			return err
		}
	}
	if err := o.pod(ctx, scenePod{name: "moves", node: 0, networks: `[{"name":"here","ips":["10.97.0.20"]}]`}); err != nil {
		return err
	}
	list := &v1alpha1.L2AttachmentList{}
	if err := o.api.List(ctx, list, client.InNamespace(o.namespace), client.MatchingFields{"spec.podName": "moves"}); err != nil {
		return err
	}
	if len(list.Items) != 1 {
		return fmt.Errorf("pod moves has %d attachments, want 1", len(list.Items))
	}
	pod, err := podNetns(ctx, o.lab, o.namespace, "moves")
	if err != nil {
		return err
	}
	defer func() { _ = pod.Close() }()
	conn, err := listen(pod, list.Items[0].Spec.Interface, netip.MustParseAddr("10.97.0.20"))
	if err != nil {
		return err
	}
	s := &stream{conn: conn, to: netip.MustParseAddr("10.97.0.10")}
	streaming, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.run(streaming, moveInterval) }()

	var quiet, moved []time.Time
	for range o.count {
		quiet = append(quiet, time.Now())
		if err := sleep(ctx, moveSpan/2); err != nil {
			return err
		}
	}
	for i := range o.count {
		if i%10 == 0 {
			fmt.Fprintf(out, "move: %d of %d\n", i, o.count)
		}
		moved = append(moved, time.Now())
		if err := o.moveOnce(ctx, &list.Items[0], networks[(i+1)%2]); err != nil {
			return err
		}
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	return o.printMoves(out, s, quiet, moved)
}

// moveOnce changes the network and waits until the controller says that the
// port is there, and for as long as the stream may suffer.
func (o scene) moveOnce(ctx context.Context, a *v1alpha1.L2Attachment, to string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := a.DeepCopy()
	a.Spec.Network.Name = to
	began := time.Now()
	if err := o.api.Patch(ctx, a, client.MergeFrom(before)); err != nil {
		return err
	}
	err := o.until(ctx, "the port is on "+to, func() bool {
		return o.refresh(ctx, a) == nil && a.Status.Network != nil && a.Status.Network.Name == to
	})
	if err != nil {
		return err
	}
	return sleep(ctx, time.Until(began.Add(moveSpan)))
}

func (o scene) printMoves(out io.Writer, s *stream, quiet, moved []time.Time) error {
	total, gaps, _ := evaluateStream(s, moved, moveSpan)
	base, baseGaps, sent := evaluateStream(s, quiet, moveSpan/2)
	f, b := summarize(gaps), summarize(baseGaps)
	fmt.Fprintf(out, "\nwithout moves: %d of %d pings lost; longest time between two answers in each %s, ms: p50 %.1f, p99 %.1f\n", base, sent, moveSpan/2, b.P50, b.P99)
	fmt.Fprintf(out, "%d moves: %d pings of a %s stream lost; longest time between two answers at each move, ms: p50 %.1f, p95 %.1f, p99 %.1f\n",
		len(moved), total, moveInterval, f.P50, f.P95, f.P99)
	return writeJSON(o.json, f)
}

func evaluateStream(s *stream, at []time.Time, span time.Duration) (lost int, gaps []float64, sent int) {
	for _, from := range at {
		n, gap := s.lost(from, from.Add(span))
		lost += n
		gaps = append(gaps, ms(gap))
		sent += int(span / moveInterval)
	}
	return lost, gaps, sent
}
