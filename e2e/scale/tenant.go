package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
)

const tenantLong = `tenant attaches a victim's pods one by one, first on an idle system and then beside another tenant
who has created, in a namespace of his own, the worst that he may:

  - a pod with 64 entries, and two whose annotation is as large as Kubernetes allows;
  - 1,000 attachments to the victim's network, which doesn't let him in;
  - 1,000 attachments that reserve addresses for pods that don't exist;
  - pods that wait for one of 300 addresses that their network lacks;
  - 200 attachments under the names that those of his own pods will have;

and who edits one of them each second. It prints both series and their ratio.`

// The two series stand where sizes do.
const (
	alone  = 1
	beside = 2
)

func newTenant(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "tenant", Short: "Measure what one tenant's worst input costs another one", Long: tenantLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.tenant(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

func (o *options) tenant(ctx context.Context, out, progress io.Writer) error {
	r := &report{sizes: []int{alone, beside}, columns: map[int]string{alone: "idle", beside: "beside him"}}
	s, err := o.open(ctx, alone, r, progress)
	if err != nil {
		return err
	}
	failure := s.besideTenant(ctx)
	if err := s.close(failure); err != nil {
		return err
	}
	if failure != nil && ctx.Err() != nil {
		return failure
	}
	if failure != nil { // an attach that never comes is a result, too
		r.line(attachBeside, "pod bound -> port in the northbound, p50", "ms", nil).notes[s.size] = failure.Error()
	}
	if err := header(ctx, out, o); err != nil {
		return err
	}
	if err := r.print(out); err != nil {
		return err
	}
	return failure
}

const attachBeside = "one tenant's attach beside another's worst"

const victim, victimNetwork = "victim", "quiet"

func (s *scene) besideTenant(ctx context.Context) error {
	if _, _, err := s.startController(ctx); err != nil {
		return err
	}
	if err := s.create(ctx, newNamespace(victim)); err != nil {
		return err
	}
	if err := s.create(ctx, newNetwork(victim, victimNetwork, "10.7.0.0/16")); err != nil {
		return err
	}
	attaches := series{
		part: attachBeside, namespace: victim, goal: ratioAtMost(1.2), between: 200 * time.Millisecond,
		network: func(int) string { return victimNetwork },
	}
	warm := *s.o
	warm.attaches = 20
	if err := s.unnoted(&warm, func() error { return attaches.run(ctx, s) }); err != nil {
		return err
	}
	if err := attaches.run(ctx, s); err != nil {
		return err
	}
	s.size = beside
	w := &worst{scene: s}
	if err := w.make(ctx); err != nil {
		return err
	}
	s.calm(ctx)
	editing, stop := context.WithCancel(ctx)
	edited := make(chan error, 1)
	go func() { edited <- w.editEachSecond(editing) }()
	err := attaches.run(ctx, s)
	stop()
	return errors.Join(err, <-edited)
}

// unnoted does something with other options that leaves no line in the report.
func (s *scene) unnoted(o *options, do func() error) error {
	kept, options, progress := s.report, s.o, s.progress
	defer func() { s.report, s.o, s.progress = kept, options, progress }()
	s.report, s.o, s.progress = &report{}, o, io.Discard
	return do()
}

// calmWithin is how long the controller gets for what the tenant has made. Where it never ends, that is part of what is
// measured.
const calmWithin = time.Minute

func (s *scene) calm(ctx context.Context) {
	began := time.Now()
	at, err := s.Controller.AwaitQuiet(ctx, calmWithin, 0)
	if err != nil {
		s.say("the controller is still at work %s after all was made", calmWithin)
		return
	}
	s.say("the controller had nothing to do any more %s after all was made", at.Sub(began).Round(time.Second/10))
}
