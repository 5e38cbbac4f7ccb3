package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/scale/stack"
	"l2sm.io/l2sm/ovn"
)

// fabricScene is one fabric with all its nodes' parts.
type fabricScene struct {
	*stack.Stack
	o        *fabricsOptions
	fabric   v1alpha1.Fabric
	column   int
	report   *report
	progress io.Writer
	began    time.Time

	members members
	api     *watcher
	zones   []*stack.OVN  // of each node, or the only one
	south   []*southbound // the same
	chassis []*stack.Chassis
	writers *writing // nil on Central
	cancel  context.CancelFunc
	pods    int     // made so far
	idle    perPart // what each part takes while nothing happens, of a processor
}

// run measures the fabric, and ends what it started.
func (s *fabricScene) run(ctx context.Context) (err error) {
	s.members, s.cancel = newMembers(s.o.nodes, s.o.networks, s.o.members), func() {}
	defer func() { err = errors.Join(err, s.close(err)) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.fill, s.memory, s.lookIdle, s.attaches, s.moves, s.lose} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *fabricScene) open(ctx context.Context) error {
	var err error
	if s.Stack, err = s.o.newStack(ctx, s.fabric, s.progress); err != nil {
		return err
	}
	if err := s.makeNodes(ctx); err != nil {
		return err
	}
	watching, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	if s.api, err = watchAPI(watching, s.Config); err != nil {
		return err
	}
	if err := s.openZones(ctx); err != nil {
		return err
	}
	for _, z := range s.zones {
		south, err := watchSouthbound(ctx, z.Socket("sb"), s.o.controllers)
		if err != nil {
			return err
		}
		s.south = append(s.south, south)
	}
	if err := s.startChassis(ctx); err != nil {
		return err
	}
	if err := s.Controller.Start(); err != nil {
		return err
	}
	s.say("%d northbound and %d southbound databases and ovn-northd run, and %d ovn-controllers", len(s.zones), len(s.zones), len(s.chassis))
	return s.Controller.AwaitReady(ctx, time.Minute)
}

// openZones starts each node's databases and zone writer, or takes the one central OVN.
func (s *fabricScene) openZones(ctx context.Context) error {
	if !s.fabric.Zoned() {
		s.zones = []*stack.OVN{s.OVN}
		return nil
	}
	s.zones = make([]*stack.OVN, s.o.nodes)
	_, err := each(ctx, 2, s.o.nodes, func(ctx context.Context, i int) error {
		var err error
		s.zones[i], err = s.StartZone(ctx, stack.OVNRoot(s.o.ovnRoot), nodeName(i))
		return err
	})
	if err != nil {
		return err
	}
	return s.startWriters(s.o.nodes)
}

// startWriters starts those of the first nodes.
func (s *fabricScene) startWriters(n int) error {
	kubeconfig, err := s.Administrator()
	if err != nil {
		return err
	}
	input := writersInput{Kubeconfig: kubeconfig}
	for i, z := range s.zones[:n] {
		input.Nodes = append(input.Nodes, writtenNode{Name: nodeName(i), Northbound: z.Socket("nb"), Southbound: z.Socket("sb")})
	}
	s.writers, err = startWriters(input, filepath.Join(filepath.Dir(kubeconfig), "writers.log"))
	return err
}

// startChassis starts every node's Open vSwitch and ovn-controller, with the settings of ovn-node's pods.
func (s *fabricScene) startChassis(ctx context.Context) error {
	if !s.o.controllers {
		return nil
	}
	settings := []string{"ovn-monitor-all=false", "ovn-ofctrl-wait-before-clear=5000"}
	if s.fabric.Zoned() {
		settings = []string{"ovn-monitor-all=true", "ovn-is-interconn=true"}
	}
	s.chassis = make([]*stack.Chassis, s.o.nodes)
	_, err := each(ctx, 2, s.o.nodes, func(ctx context.Context, i int) error {
		var err error
		s.chassis[i], err = s.zones[i%len(s.zones)].StartChassis(ctx, "c-"+nodeName(i), nodeName(i), tunnelAddress(i), settings...)
		return err
	})
	return err
}

func tunnelAddress(i int) string { return fmt.Sprintf("192.0.2.%d", i+1) }

// plug adds the interface of a pod that will have a port, on its node.
func (s *fabricScene) plug(ctx context.Context, pod *corev1.Pod, node int) error {
	if !s.o.controllers {
		return nil
	}
	return s.chassis[node].Plug(ctx, "d"+pod.Name, portName(pod), string(pod.UID))
}

// makeNodes makes nodes, and says where their tunnels start, as their agents would.
func (s *fabricScene) makeNodes(ctx context.Context) error {
	if err := s.Client.Create(ctx, newNamespace(space)); err != nil {
		return fmt.Errorf("create namespace: %w", err)
	}
	_, err := each(ctx, s.o.writers, s.o.nodes, func(ctx context.Context, i int) error {
		if err := s.Client.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i)}}); err != nil {
			return err
		}
		n := &v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i)}}
		if err := s.Client.Create(ctx, n); err != nil {
			return err
		}
		n.Status = v1alpha1.L2NodeStatus{Chassis: nodeName(i), TunnelAddresses: []string{tunnelAddress(i)}}
		return s.Client.Status().Update(ctx, n)
	})
	if err != nil {
		return fmt.Errorf("make nodes: %w", err)
	}
	return nil
}

// close ends everything; after a failure it keeps the logs.
func (s *fabricScene) close(failure error) error {
	s.cancel()
	for _, south := range s.south {
		south.Close()
	}
	var errs []error
	if failure != nil && s.Stack != nil {
		folder := filepath.Join(s.o.logs, string(s.fabric))
		errs = append(errs, s.KeepLogs(folder))
		s.say("failed, logs are in %s: %v", folder, failure)
	}
	if s.writers != nil {
		errs = append(errs, s.writers.Close())
	}
	_, err := each(context.Background(), 8, len(s.chassis), func(_ context.Context, i int) error {
		if s.chassis[i] == nil {
			return nil
		}
		return s.chassis[i].Stop()
	})
	errs = append(errs, err)
	if s.fabric.Zoned() {
		_, err := each(context.Background(), 8, len(s.zones), func(_ context.Context, i int) error {
			if s.zones[i] == nil {
				return nil
			}
			return s.zones[i].Stop()
		})
		errs = append(errs, err)
	}
	if s.Stack != nil {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

func (s *fabricScene) say(format string, args ...any) {
	fmt.Fprintf(s.progress, "%-7s %6.1fs  %s\n", s.fabric, time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

func (s *fabricScene) note(part, name, unit string, value float64, g *goal) {
	s.report.line(part, name, unit, g).values[s.column] = value
	s.say("%s, %s: %s %s", part, name, number(value), unit)
}

// patience is how long anything may take that grows with the number of pods.
func (s *fabricScene) patience() time.Duration {
	return 2*time.Minute + time.Duration(s.members.pods())*200*time.Millisecond
}

func switchName(network int) string {
	return ovn.Key{Namespace: space, Name: networkName(network)}.Switch()
}

// portName is that of a pod's only interface: docs/l2sm-controller.md tells the attachment's name.
func portName(pod *corev1.Pod) string { return v1alpha1.PortOf(attachmentKey(pod)) }

func attachmentKey(pod *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: fmt.Sprintf("%s-net1-%.8s", pod.Name, pod.UID)}
}
