package ovs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"l2sm.io/l2sm/internal/ovs/replica"
	"l2sm.io/l2sm/internal/ovs/vs"
)

// WaitInstalled returns when ovn-controller has installed the flows of all
// named ports. It fails at once when ovs-vswitchd could not open one of them,
// and otherwise waits until ctx ends.
func (c *Client) WaitInstalled(ctx context.Context, names ...string) error {
	return c.wait(ctx, func() (string, error) {
		ports, err := c.Ports(ctx)
		if err != nil {
			return "", err
		}
		return notInstalled(ports, names)
	})
}

// notInstalled names the ports whose flows are missing. A port that is not
// there counts as missing: it shows once the cache has caught up.
func notInstalled(ports []Port, names []string) (string, error) {
	state := map[string]State{}
	for _, p := range ports {
		state[p.Name] = p.State
	}
	var missing []string
	for _, name := range names {
		if state[name].Error != "" {
			return "", fmt.Errorf("ovs-vswitchd refuses port %q: %s", name, state[name].Error)
		}
		if !state[name].Installed {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	return fmt.Sprintf("ovn-installed of %s (is ovn-controller running and connected to the southbound database?)", strings.Join(missing, ", ")), nil
}

func (c *Client) waitConfigured(ctx context.Context, want int) error {
	return c.wait(ctx, func() (string, error) {
		roots, err := replica.List[vs.OpenvSwitch](ctx, c.db)
		if err != nil {
			return "", err
		}
		for _, root := range roots {
			if root.CurCfg >= want {
				return "", nil
			}
		}
		return "ovs-vswitchd to act (is it running?)", nil
	})
}

// wait returns when missing returns nothing, when it returns an error other
// than a lost connection, which comes back, or when ctx ends. It asks again
// after every change.
func (c *Client) wait(ctx context.Context, missing func() (string, error)) error {
	for {
		changed := c.Changed()
		what, err := missing()
		if errors.Is(err, ErrNotConnected) {
			what, err = "the connection to Open vSwitch", nil
		}
		if err != nil {
			return err
		}
		if what == "" {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}
