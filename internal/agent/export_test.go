package agent

// WithStep has the agent tell of each step of plugging and unplugging.
func WithStep(c *Config, step func(done string)) { c.step = step }
