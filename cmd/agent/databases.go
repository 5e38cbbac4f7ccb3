package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/go-logr/logr"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/agent"
	"l2sm.io/l2sm/internal/zone"
)

// databases are the endpoints of the node's own.
type databases struct{ northbound, southbound string }

// check refuses databases that other machines could reach, or that are other
// machines': each node writes its own.
func (d databases) check(fabric v1alpha1.Fabric) error {
	if err := fabric.Check(); err != nil {
		return err
	}
	if !fabric.Zoned() {
		return nil
	}
	for flag, endpoint := range map[string]string{"nb": d.northbound, "sb": d.southbound} {
		if path, is := strings.CutPrefix(endpoint, "unix:"); !is || !strings.HasPrefix(path, "/") {
			return fmt.Errorf("--%s=%s: want unix:/PATH, the socket of the node's own database, on fabric %s", flag, endpoint, fabric)
		}
	}
	return nil
}

// newWriter makes what writes the node's databases from what the agent's caches
// know.
func newWriter(a *agent.Agent, o options, log logr.Logger) (*zone.Writer, error) {
	most, err := v1alpha1.MaxMTU(o.agent.UnderlayMTU, corev1.IPv4Protocol)
	if err != nil {
		return nil, err
	}
	return zone.New(zone.Config{
		Node: o.agent.Node, Fabric: o.agent.Fabric, MaxMTU: most, API: a.API(), Cache: a.Cache(), Log: log.WithName("zone"),
		KeysTaken: a.KeysTaken, Tell: a.Tell, Northbound: []string{o.databases.northbound}, Southbound: []string{o.databases.southbound},
	})
}
