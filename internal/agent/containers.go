package agent

import "sync"

// containers is a set of containers. Its zero value is empty and ready for
// use.
type containers struct {
	mu  sync.Mutex
	all map[string]int
}

// add counts how often.
func (c *containers) add(container string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]int{}
	}
	c.all[container]++
}

// remove takes one add back.
func (c *containers) remove(container string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[container]--
	if c.all[container] <= 0 {
		delete(c.all, container)
	}
}

// drop takes all of them back.
func (c *containers) drop(container string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, container)
}

// empty takes everything back.
func (c *containers) empty() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.all)
}

func (c *containers) has(container string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[container] > 0
}

// forget removes what keep does not want.
func (c *containers) forget(keep func(container string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for container := range c.all {
		if !keep(container) {
			delete(c.all, container)
		}
	}
}

// without runs f unless the set has a member that is meant, and lets none in
// while f runs.
func (c *containers) without(meant func(container string) bool, f func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for container := range c.all {
		if meant(container) {
			return nil
		}
	}
	return f()
}
