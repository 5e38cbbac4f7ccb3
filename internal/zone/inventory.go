package zone

import (
	"context"
	"errors"
	"fmt"
	"time"

	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/ovn"
)

// readTimeout bounds the read of the southbound database.
const readTimeout = 5 * time.Second

// Inventory is what the node's databases hold. The northbound rows are in memory;
// of the southbound ones nothing keeps the ports, so they are read.
func (w *Writer) Inventory(ctx context.Context) (*inventory.Zone, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	w.mu.Lock()
	client := w.northbound
	w.mu.Unlock()
	if client == nil {
		return nil, errors.New("look at the node's databases: the agent is starting")
	}
	northbound, err := client.Contents()
	if err != nil {
		return nil, fmt.Errorf("look at the node's databases: %w", err)
	}
	southbound, err := ovn.ReadSouthbound(ctx, ovn.Config{Endpoints: w.config.Southbound})
	if err != nil {
		return nil, fmt.Errorf("look at the node's databases: %w", err)
	}
	return &inventory.Zone{Northbound: northbound, Southbound: southbound, NotLearned: w.floods.all()}, nil
}
