package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// programs remember how the last write of each network went. They are written by
// the worker that programs OVN and read by the one that reports.
type programs struct {
	mu       sync.Mutex
	networks map[types.NamespacedName]program
}

// program is how a write went: the generation of the network that was judged for
// it, and the error that it ended with.
type program struct {
	generation int64
	err        error
}

func newPrograms() *programs { return &programs{networks: map[types.NamespacedName]program{}} }

func (p *programs) note(network types.NamespacedName, generation int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.networks[network] = program{generation, err}
}

func (p *programs) of(network types.NamespacedName) (program, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, has := p.networks[network]
	return found, has
}

func (p *programs) forget(network types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.networks, network)
}
