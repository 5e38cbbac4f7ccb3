package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/e2e/scale/stack"
)

// fabricPod is a pod of a fabric's measurement.
type fabricPod struct {
	*corev1.Pod
	node, network int
}

// newFabricPod has an address that no other pod has, so that it may move to any network.
func (s *fabricScene) newFabricPod(network int, node string) *corev1.Pod {
	i := s.pods
	s.pods++
	return s.podOf(i, network, node)
}

func (s *fabricScene) podOf(i, network int, node string) *corev1.Pod {
	at := i + 256
	entry := fmt.Sprintf(`[{"name":%q,"ips":["10.%d.%d.%d"]}]`, networkName(network), at>>16&255, at>>8&255, at&255)
	return newPod(space, podName(i), entry, node)
}

// fill makes all networks, and all members' pods at once, and waits until every database holds what it must.
func (s *fabricScene) fill(ctx context.Context) error {
	before, began := s.usage(), time.Now()
	_, err := each(ctx, s.o.writers, len(s.members.nodesOf), func(ctx context.Context, i int) error {
		return s.Client.Create(ctx, newNetwork(space, networkName(i), "10.0.0.0/8"))
	})
	if err != nil {
		return fmt.Errorf("create networks: %w", err)
	}
	var all []fabricPod
	for network, on := range s.members.nodesOf {
		for _, node := range on {
			all = append(all, fabricPod{node: node, network: network})
		}
	}
	s.pods = len(all)
	_, err = each(ctx, s.o.writers, len(all), func(ctx context.Context, i int) error {
		pod := s.podOf(i, all[i].network, nodeName(all[i].node))
		if err := s.Client.Create(ctx, pod); err != nil {
			return err
		}
		return s.plug(ctx, pod, all[i].node)
	})
	if err != nil {
		return fmt.Errorf("create pods: %w", err)
	}
	if err := s.awaitFull(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	used := s.usage().Since(before)
	part := fmt.Sprintf("%d networks and %d pods, all at once", len(s.members.nodesOf), s.pods)
	s.note(part, "until every database holds its ports", "s", took.Seconds(), nil)
	s.idle = perPart{}
	s.noteCPU(part, "pod", s.pods, s.o.members, used, took)
	return nil
}

// awaitFull waits until every southbound database holds exactly the ports that it must.
func (s *fabricScene) awaitFull(ctx context.Context) error {
	said := time.Now()
	return stack.Until(ctx, s.patience(), 20*time.Millisecond, "every southbound database holds its ports", func() bool {
		full := 0
		for i, south := range s.south {
			want := s.pods
			if s.fabric.Zoned() {
				want = s.members.portsOn(i)
			}
			if south.complete() == want {
				full++
			}
		}
		if time.Since(said) > sayEvery {
			said = time.Now()
			_, _, _, accepted := s.api.counts()
			s.say("%d of %d southbound databases hold their ports, %d of %d attachments are accepted", full, len(s.south), accepted, s.pods)
		}
		return full == len(s.south)
	})
}

// databasesOf are those that must hold a network's ports.
func (s *fabricScene) databasesOf(network int) []int {
	if !s.fabric.Zoned() {
		return []int{0}
	}
	return s.members.nodesOf[network]
}

// stands returns when the port has come to stand in all databases of the network, and has left those named.
func (s *fabricScene) stands(ctx context.Context, port string, network int, without []int) (time.Time, error) {
	var last time.Time
	later := func(since time.Time) {
		if since.After(last) {
			last = since
		}
	}
	err := stack.Until(ctx, time.Minute, time.Millisecond, "port "+port+" stands in all databases of its network", func() bool {
		last = time.Time{}
		for _, i := range s.databasesOf(network) {
			since, ok := s.south[i].on(port, switchName(network))
			if !ok {
				return false
			}
			later(since)
		}
		for _, i := range without {
			since, ok := s.south[i].left(port)
			if !ok {
				return false
			}
			later(since)
		}
		return true
	})
	return last, err
}

// settled is how long the parts get, after the last change, for what they put off.
const settled = 2 * time.Second

// attaches binds pods one by one, to members of networks in turn.
func (s *fabricScene) attaches(ctx context.Context) error {
	var bound, written []float64
	recomputed, err := s.recomputes(ctx)
	if err != nil {
		return err
	}
	before, began := s.usage(), time.Now()
	for i := range s.o.changes {
		network := i % len(s.members.nodesOf)
		on := s.members.nodesOf[network]
		pod := s.newFabricPod(network, "")
		if err := s.Client.Create(ctx, pod); err != nil {
			return fmt.Errorf("create pod: %w", err)
		}
		node := on[i%len(on)]
		if err := s.plug(ctx, pod, node); err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil { // all caches have seen it
			return err
		}
		start := time.Now()
		if err := (&scene{Stack: s.Stack}).bind(ctx, pod, nodeName(node)); err != nil {
			return err
		}
		at, err := s.stands(ctx, portName(pod), network, nil)
		if err != nil {
			return err
		}
		complete, err := s.complete(ctx, client.ObjectKeyFromObject(pod))
		if err != nil {
			return err
		}
		bound, written = append(bound, milliseconds(at.Sub(start))), append(written, milliseconds(at.Sub(complete)))
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	part := fmt.Sprintf("one more pod, on a network of %d members", s.o.members)
	s.notePercentiles(part, "pod bound -> port stands everywhere", bound)
	s.notePercentiles(part, "attachment written -> port stands everywhere", written)
	used := s.usage().Since(before)
	s.noteCPU(part, "pod", s.o.changes, s.o.members, used, time.Since(began))
	return s.noteRecomputes(ctx, part, "pod", recomputed)
}

// complete is when the watch has told of the pod's attachment with all that a port needs.
func (s *fabricScene) complete(ctx context.Context, pod types.NamespacedName) (time.Time, error) {
	var at time.Time
	err := stack.Until(ctx, time.Minute, time.Millisecond, "the attachment of pod "+pod.String()+" is seen", func() bool {
		a, ok := s.api.ofPod(pod)
		at = a.complete
		return ok && !at.IsZero()
	})
	return at, err
}

func (s *fabricScene) notePercentiles(part, name string, values []float64) {
	s.note(part, name+", p50", "ms", percentile(values, 50), nil)
	s.note(part, name+", p95", "ms", percentile(values, 95), nil)
}

// moves moves interfaces one by one to another network that their node is a member of.
func (s *fabricScene) moves(ctx context.Context) error {
	var pods []fabricPod
	for i := range s.o.changes {
		node := i % s.o.nodes
		network := s.members.networksOf[node][0]
		pod := s.newFabricPod(network, nodeName(node))
		if err := s.Client.Create(ctx, pod); err != nil {
			return fmt.Errorf("create pod: %w", err)
		}
		if err := s.plug(ctx, pod, node); err != nil {
			return err
		}
		pods = append(pods, fabricPod{pod, node, network})
	}
	for _, pod := range pods {
		if _, err := s.stands(ctx, portName(pod.Pod), pod.network, nil); err != nil {
			return err
		}
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	var took []float64
	recomputed, err := s.recomputes(ctx)
	if err != nil {
		return err
	}
	before, began := s.usage(), time.Now()
	for _, pod := range pods {
		to := s.members.networksOf[pod.node][1]
		start := time.Now()
		if err := s.move(ctx, pod.Pod, to); err != nil {
			return err
		}
		var without []int
		if s.fabric.Zoned() {
			without = s.members.others(pod.network, to)
		}
		at, err := s.stands(ctx, portName(pod.Pod), to, without)
		if err != nil {
			return err
		}
		took = append(took, milliseconds(at.Sub(start)))
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	if err := pause(ctx, settled); err != nil {
		return err
	}
	part := "one move to another network"
	s.notePercentiles(part, "spec.network written -> port stands everywhere, and nowhere else", took)
	used := s.usage().Since(before)
	s.noteCPU(part, "move", s.o.changes, s.concernedByMove(), used, time.Since(began))
	return s.noteRecomputes(ctx, part, "move", recomputed)
}

func (s *fabricScene) noteRecomputes(ctx context.Context, part, what string, before int) error {
	after, err := s.recomputes(ctx)
	if err != nil {
		return err
	}
	s.note(part, "northd's translations of all that it has, for each "+what, "", float64(after-before)/float64(s.o.changes), nil)
	return nil
}

func (s *fabricScene) move(ctx context.Context, pod *corev1.Pod, to int) error {
	key := attachmentKey(pod)
	a := &v1alpha1.L2Attachment{}
	a.Namespace, a.Name = key.Namespace, key.Name
	patch := fmt.Sprintf(`{"spec":{"network":{"name":%q}}}`, networkName(to))
	if err := s.Client.Patch(ctx, a, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("move attachment %q: %w", key, err)
	}
	return nil
}

// lose loses northbound databases, one after the other, and looks how long each takes to be whole again.
func (s *fabricScene) lose(ctx context.Context) error {
	var whole, translated []float64
	for i := range s.o.losses {
		a, b, err := s.loseOne(ctx, i%len(s.zones))
		if err != nil {
			return err
		}
		whole, translated = append(whole, a), append(translated, b)
	}
	part := fmt.Sprintf("a northbound database lost, median of %d", s.o.losses)
	s.note(part, "until it holds every switch and port again", "ms", percentile(whole, 50), nil)
	s.note(part, "until northd has translated it", "ms", percentile(translated, 50), nil)
	s.note(part, "slowest, until northd has translated it", "ms", slices.Max(translated), nil)
	s.note(part, "nodes that get no new ports meanwhile", "", float64(s.o.nodes)/float64(len(s.zones)), nil)
	return nil
}

func (s *fabricScene) loseOne(ctx context.Context, i int) (whole, translated float64, err error) {
	z, want := s.zones[i], s.south[i].complete()
	nb, err := watchNorthbound(ctx, z.Socket("nb"))
	if err != nil {
		return 0, 0, err
	}
	defer nb.Close()
	var switches, ports int
	err = stack.Until(ctx, 10*time.Second, 10*time.Millisecond, "the northbound database is read", func() bool {
		switches, ports = nb.counts()
		return ports == want
	})
	if err != nil {
		return 0, 0, err
	}
	resume, err := z.Wipe(ctx)
	began := time.Now()
	defer resume()
	if err != nil {
		return 0, 0, err
	}
	if err := nb.dial(ctx); err != nil {
		return 0, 0, err
	}
	err = stack.Until(ctx, s.patience(), time.Millisecond, "the northbound database is filled again", func() bool {
		haveSwitches, havePorts := nb.counts()
		return haveSwitches >= switches && havePorts >= ports
	})
	if err != nil {
		return 0, 0, err
	}
	whole = milliseconds(time.Since(began))
	resume()
	if err := z.Sync(ctx); err != nil {
		return 0, 0, err
	}
	return whole, milliseconds(time.Since(began)), nil
}

// concernedByMove is how many nodes the moves concern: members of either network.
func (s *fabricScene) concernedByMove() int {
	n := 0
	for i := range s.o.changes {
		own := s.members.networksOf[i%s.o.nodes]
		n += len(s.members.nodesOf[own[1]]) + len(s.members.others(own[0], own[1]))
	}
	return n / s.o.changes
}
