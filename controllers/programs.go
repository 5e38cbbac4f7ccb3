package controllers

import "k8s.io/apimachinery/pkg/types"

// program is how the last write of a network went: the generation of the network
// that was judged for it, and the error that it ended with. It is written by the
// worker that programs OVN and read by the one that reports.
type program struct {
	generation int64
	err        error
}

// note remembers how a write of the network went.
func (p *ports) note(network types.NamespacedName, generation int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(network).last = &program{generation, err}
}

// program is how the network's last write went, if it was written.
func (p *ports) program(network types.NamespacedName) (program, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.networks[network]; n != nil && n.last != nil {
		return *n.last, true
	}
	return program{}, false
}

// forget clears how the network's last write went: nothing is reported of one
// that is gone.
func (p *ports) forget(network types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.networks[network]; n != nil {
		n.last = nil
	}
}
