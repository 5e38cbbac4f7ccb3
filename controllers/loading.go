package controllers

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
)

// loading fills the ledger once, before it is first asked. What is held is read
// from the API itself, not from a cache that may lag behind the writes of the
// leader before.
type loading struct {
	mu   sync.Mutex
	done bool
}

func (l *loading) wait(ctx context.Context, p *placement) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return nil
	}
	if err := p.ranges.read(ctx); err != nil {
		return err // by which new networks may be refused
	}
	attachments, err := p.allAttachments(ctx)
	if err != nil {
		return err
	}
	numbered, err := p.allNetworks(ctx)
	if err != nil {
		return err
	}
	if err := p.stretches.load(ctx); err != nil {
		return err // by which ports would be removed
	}
	records := &records{reads: &p.reads, networks: map[types.NamespacedName]*v1alpha1.L2Network{}}
	networks := &v1alpha1.L2NetworkList{}
	if err := p.cached.List(ctx, networks, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	for i := range networks.Items {
		records.networks[client.ObjectKeyFromObject(&networks.Items[i])] = &networks.Items[i]
	}
	remotes := &v1alpha1.L2RemoteList{}
	if err := p.cached.List(ctx, remotes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list L2Remotes: %w", err)
	}
	for i := range remotes.Items {
		announce(p.ledger, &remotes.Items[i]) // before anything is decided
	}
	records.ctx = ctx
	p.ledger.Load(attachments, records)
	if records.err != nil {
		return records.err
	}
	for key, network := range records.networks {
		p.ledger.Judge(network)
		p.ledger.Open(key)
		p.ledger.Judge(network) // by what is on record
	}
	p.withFormer(ctx, numbered, attachments)
	p.keys.load(numbered, attachments)
	l.done = true
	return nil
}

// pageSize is how many objects are read at a time: the answer to one request
// is held in memory as text, too.
const pageSize = 500

// allAttachments reads the API itself.
func (r *reads) allAttachments(ctx context.Context) ([]v1alpha1.L2Attachment, error) {
	var all []v1alpha1.L2Attachment
	for next := ""; ; {
		page := &v1alpha1.L2AttachmentList{}
		if err := r.live.List(ctx, page, client.Limit(pageSize), client.Continue(next)); err != nil {
			return nil, fmt.Errorf("read all attachments: %w", err)
		}
		all = append(all, page.Items...)
		if next = page.Continue; next == "" {
			return all, nil
		}
	}
}

// allNetworks reads the API itself.
func (r *reads) allNetworks(ctx context.Context, of ...client.ListOption) ([]v1alpha1.L2Network, error) {
	var all []v1alpha1.L2Network
	for next := ""; ; {
		page := &v1alpha1.L2NetworkList{}
		if err := r.live.List(ctx, page, append(of, client.Limit(pageSize), client.Continue(next))...); err != nil {
			return nil, fmt.Errorf("read all networks: %w", err)
		}
		all = append(all, page.Items...)
		if next = page.Continue; next == "" {
			return all, nil
		}
	}
}

// records are what the caches have, for the ledger to start with. The first
// error is kept.
type records struct {
	*reads
	ctx      context.Context //nolint:containedctx // it lives for one Load
	networks map[types.NamespacedName]*v1alpha1.L2Network
	err      error
}

func (r *records) Network(key types.NamespacedName) *v1alpha1.L2Network { return r.networks[key] }

// Pod is nil, too, for a pod that the cache does not cover.
func (r *records) Pod(key types.NamespacedName) *corev1.Pod {
	pod, err := r.podOf(r.ctx, r.cached, key)
	if err != nil {
		return nil
	}
	return pod
}

func (r *records) Surroundings(network *v1alpha1.L2Network, namespace string) admission.Surroundings {
	s, err := r.surroundings(r.ctx, network, namespace)
	r.keep(client.IgnoreNotFound(err)) // a namespace that is gone has no labels
	return s
}

func (r *records) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

var _ admission.Records = &records{}
