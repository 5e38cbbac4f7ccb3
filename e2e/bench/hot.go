package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func hotCommand() *cobra.Command {
	o := scene{}
	cmd := &cobra.Command{
		Use:   "hot",
		Short: "Measure hot attach: from the API object's creation to the first ping through the new interface",
		Long: `Creates an L2Attachment for a running pod, again and again, and looks from
inside of the pod when the first ping through the new interface is answered by a
pod on another node. Nothing but the API object tells l2sm of it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.hot(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.flags(cmd, 100, "attaches")
	return cmd
}

// hotInterface is the interface's name in the pod.
const hotInterface = "hot0"

func (o scene) hot(ctx context.Context, out io.Writer) error {
	if err := o.open(ctx, "bench-hot"); err != nil {
		return err
	}
	defer o.end()
	if err := o.network(ctx, "hot", "10.99.0.0/16"); err != nil {
		return err
	}
	for _, p := range []scenePod{{name: "runs", node: 0}, {name: "answers", node: 1, networks: `[{"name":"hot","ips":["10.99.0.1"]}]`}} {
		if err := o.pod(ctx, p); err != nil {
			return err
		}
	}
	pod, err := podNetns(ctx, o.lab, o.namespace, "runs")
	if err != nil {
		return err
	}
	defer func() { _ = pod.Close() }()

	var took []float64
	for i := range o.count {
		if i%10 == 0 {
			fmt.Fprintf(out, "hot attach: %d of %d\n", i, o.count)
		}
		d, err := o.hotOnce(ctx, pod, i)
		if err != nil {
			return err
		}
		took = append(took, ms(d))
	}
	f := summarize(took)
	fmt.Fprintf(out, "\nhot attach, API object created -> first ping answered, ms: n %d, p50 %.1f, p95 %.1f, p99 %.1f\n", f.N, f.P50, f.P95, f.P99)
	return writeJSON(o.json, f)
}

// hotOnce attaches, pings, and detaches.
func (o scene) hotOnce(ctx context.Context, pod ns.NetNS, i int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	from := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, 1, byte(i%250 + 1)}), 16)
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: fmt.Sprintf("hot-%d", i)},
		Spec: v1alpha1.L2AttachmentSpec{
			PodName: "runs", Network: v1alpha1.NetworkReference{Name: "hot"}, Interface: hotInterface,
			Addresses: []string{from.String()},
		},
	}
	answered := make(chan error, 1)
	at := time.Time{}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		var err error
		at, err = firstAnswer(watching, pod, from.Addr(), netip.MustParseAddr("10.99.0.1"))
		answered <- err
	}()
	began := time.Now()
	if err := o.api.Create(ctx, a); err != nil {
		return 0, err
	}
	if err := <-answered; err != nil {
		return 0, fmt.Errorf("ping through %s of %s: %w", hotInterface, a.Name, err)
	}
	if err := o.api.Delete(ctx, a); err != nil {
		return 0, err
	}
	return at.Sub(began), o.until(ctx, "the interface is gone", func() bool {
		conn, err := listen(pod, hotInterface, from.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return errors.Is(err, unix.ENODEV)
	})
}

// firstAnswer looks every millisecond for the interface with its address, and
// then for a ping's answer.
func firstAnswer(ctx context.Context, pod ns.NetNS, from, to netip.Addr) (time.Time, error) {
	s := &stream{to: to}
	for {
		conn, err := listen(pod, hotInterface, from)
		if err == nil {
			s.conn = conn
			break
		}
		if !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return time.Time{}, err
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return time.Time{}, err
		}
	}
	go s.read()
	defer func() { _ = s.conn.Close() }()
	for s.first().IsZero() {
		if err := s.send(); err != nil {
			return time.Time{}, err
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return time.Time{}, err
		}
	}
	return s.first(), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (o scene) until(ctx context.Context, what string, holds func() bool) error {
	for !holds() {
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
	}
	return nil
}

func (o scene) refresh(ctx context.Context, object client.Object) error {
	return o.api.Get(ctx, client.ObjectKeyFromObject(object), object)
}
