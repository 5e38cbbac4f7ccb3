package agent

// WithStep has the agent tell of each step of plugging and unplugging.
func WithStep(c *Config, step func(done string)) { c.step = step }

// WithBootID has the agent take its machine for another one.
func WithBootID(c *Config, id string) { c.bootID = id }
