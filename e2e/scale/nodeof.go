package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/scale/stack"
	"l2sm.io/l2sm/internal/tunnelkey"
)

// compareNode measures a node with a pod on few networks where there are no others, and where there are many.
func (o *fabricsOptions) compareNode(ctx context.Context, progress io.Writer) (*report, error) {
	r := &report{sizes: []int{o.networks, o.nodeOf}}
	for _, n := range r.sizes {
		s := &fabricScene{o: o, fabric: v1alpha1.FabricZones, column: n, report: r, progress: progress, began: time.Now()}
		if err := s.runNode(ctx, n); err != nil {
			return nil, fmt.Errorf("a node of %d networks: %w", n, err)
		}
	}
	return r, nil
}

// runNode writes what the controller would, and then starts the one node's databases and writer.
func (s *fabricScene) runNode(ctx context.Context, all int) (err error) {
	s.cancel = func() {}
	defer func() { err = errors.Join(err, s.close(err)) }()
	if s.Stack, err = s.o.newStack(ctx, s.fabric, s.progress); err != nil {
		return err
	}
	if err := s.makeNodes(ctx); err != nil {
		return err
	}
	if err := s.fillAPI(ctx, all); err != nil {
		return err
	}
	zone, err := s.StartZone(ctx, stack.OVNRoot(s.o.ovnRoot), nodeName(0))
	if err != nil {
		return err
	}
	s.zones = []*stack.OVN{zone}
	return s.startNode(ctx)
}

// fillAPI makes networks, each with a pod on another node, and the first ones with one on the node that is measured.
func (s *fabricScene) fillAPI(ctx context.Context, all int) error {
	keys, err := tunnelkey.ParseRange(tunnelkey.DefaultNetworks)
	if err != nil {
		return err
	}
	_, err = each(ctx, s.o.writers, all, func(ctx context.Context, i int) error {
		n := newNetwork(space, networkName(i), "10.0.0.0/8")
		if err := s.Client.Create(ctx, n); err != nil {
			return err
		}
		n.Status = v1alpha1.L2NetworkStatus{TunnelKey: keys.First + int32(i), InForce: &n.Spec, MTU: 1442}
		if err := s.Client.Status().Update(ctx, n); err != nil {
			return err
		}
		if err := s.attachment(ctx, i, nodeName(1+i%(s.o.nodes-1)), 1); err != nil || i >= s.o.networks {
			return err
		}
		return s.attachment(ctx, i, nodeName(0), 2)
	})
	if err != nil {
		return fmt.Errorf("write %d networks and their attachments: %w", all, err)
	}
	s.say("the API server holds %d networks with an attachment each elsewhere, and %d attachments of %s", all, s.o.networks, nodeName(0))
	return nil
}

// attachment writes one with its port, the n-th of its network.
func (s *fabricScene) attachment(ctx context.Context, network int, node string, n int32) error {
	name := fmt.Sprintf("%s-%d", networkName(network), n)
	a := &v1alpha1.L2Attachment{Spec: v1alpha1.L2AttachmentSpec{
		PodName: name, PodUID: types.UID(name), NodeName: node, Network: v1alpha1.NetworkReference{Name: networkName(network)},
		Interface: "net1", MACAddress: fmt.Sprintf("0a:58:0a:00:00:%02x", n), Addresses: []string{fmt.Sprintf("10.0.0.%d/8", n)},
	}}
	a.Namespace, a.Name = space, name
	if err := s.Client.Create(ctx, a); err != nil {
		return err
	}
	a.Status.Network = &v1alpha1.NetworkReference{Namespace: space, Name: networkName(network)}
	a.Status.TunnelKey, a.Status.MTU, a.Status.PortName = n, 1442, a.PortName()
	return s.Client.Status().Update(ctx, a)
}

// sent is what the API server has sent to watches of l2sm's kinds, and how many of these there are.
type sent struct{ events, bytes, watches, lists float64 }

func (s *fabricScene) sent(ctx context.Context) (sent, error) {
	m, err := s.APIMetrics(ctx)
	if err != nil {
		return sent{}, err
	}
	var all sent
	for _, resource := range []string{"l2networks", "l2attachments", "l2nodes"} {
		all.events += m.Sum("apiserver_watch_events_total", "resource", resource)
		all.bytes += m.Sum("apiserver_watch_events_sizes_sum", "resource", resource)
		all.watches += m.Sum("apiserver_longrunning_requests", "resource", resource, "verb", "WATCH")
		all.lists += m.Sum("apiserver_request_total", "resource", resource, "verb", "LIST")
	}
	return all, nil
}

// startNode starts the node's writer and looks what it takes until its databases are whole.
func (s *fabricScene) startNode(ctx context.Context) error {
	if err := pause(ctx, 5*time.Second); err != nil { // what the API server puts off
		return err
	}
	nb, err := watchNorthbound(ctx, s.zones[0].Socket("nb"))
	if err != nil {
		return err
	}
	defer nb.Close()
	south, err := watchSouthbound(ctx, s.zones[0].Socket("sb"), false)
	if err != nil {
		return err
	}
	defer south.Close()
	asked, err := s.sent(ctx)
	if err != nil {
		return err
	}
	before, began := s.usage(), time.Now()
	if err := s.startWriters(1); err != nil {
		return err
	}
	err = stack.Until(ctx, time.Minute, time.Millisecond, "the node's southbound database holds its ports", func() bool {
		return south.complete() == 2*s.o.networks
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	if err := pause(ctx, settled); err != nil {
		return err
	}
	used := s.usage().Since(before)
	answered, err := s.sent(ctx)
	if err != nil {
		return err
	}
	part := fmt.Sprintf("a node with pods on %d of N networks", s.o.networks)
	switches, ports := nb.counts()
	s.note(part, "switches in its northbound database", "", float64(switches), &goal{most: float64(s.o.networks), fails: true})
	s.note(part, "ports in its northbound database", "", float64(ports), &goal{most: float64(2 * s.o.networks), fails: true})
	s.note(part, "watches that it holds at the API server", "", answered.watches-asked.watches, ratioAtMost(1))
	s.note(part, "objects and bookmarks that these were sent", "", answered.events-asked.events, nil)
	s.note(part, "the same, in bytes", "KiB", (answered.bytes-asked.bytes)/1024, ratioAtMost(1.1))
	s.note(part, "lists that it asked for", "", answered.lists-asked.lists, ratioAtMost(1))
	s.note(part, "its writer started -> ports stand in its southbound database", "ms", milliseconds(took), nil)
	s.note(part, "zone writer, CPU of that", "ms", milliseconds(used.CPU[zoneWriters]), ratioAtMost(1.5))
	s.note(part, "kube-apiserver, CPU of that", "ms", milliseconds(used.CPU[stack.APIServer]), nil)
	return s.nodeMemory(part)
}

func (s *fabricScene) nodeMemory(part string) error {
	state, err := s.writers.state()
	if err != nil {
		return err
	}
	s.note(part, "zone writer, heap", "MiB", float64(state.Heap)/(1<<20), ratioAtMost(1.1))
	for _, name := range []string{zoneWriters, stack.NB, stack.SB, stack.Northd} {
		resident, _, err := stack.Memory(s.pids()[name][0])
		if err != nil {
			return err
		}
		s.note(part, name+", RSS", "MiB", resident, ratioAtMost(1.1))
	}
	return nil
}
