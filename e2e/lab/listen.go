package lab

import (
	"errors"
	"fmt"
	"net"

	"l2sm.io/l2sm/e2e/lab/netns"
)

// ListenOnNodes opens a TCP port on every node, by which this program serves what is on the node.
func (l *Lab) ListenOnNodes(address string) ([]net.Listener, error) {
	var all []net.Listener
	for _, n := range l.plan.Nodes {
		err := netns.Do(n.Namespace, func() error {
			listener, err := net.Listen("tcp", address)
			if err == nil {
				all = append(all, listener)
			}
			return err
		})
		if err != nil {
			errs := []error{fmt.Errorf("listen on %s of node %q: %w", address, n.Name, err)}
			for _, listener := range all {
				errs = append(errs, listener.Close())
			}
			return nil, errors.Join(errs...)
		}
	}
	return all, nil
}
