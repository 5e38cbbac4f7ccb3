package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"golang.org/x/sync/errgroup"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/multus"
	"l2sm.io/l2sm/ovn"
)

// Sources are where facts come from.
type Sources struct {
	// API reads from the API server, not from a cache.
	API client.Client
	// Fabric says which databases hold the networks.
	Fabric v1alpha1.Fabric
	// Northbound and Southbound say where the databases of fabric Central are. On the
	// others agents tell of their nodes'.
	Northbound, Southbound ovn.Config
	// Namespace is l2sm's own.
	Namespace string
	// MaxMTU is the largest that pods may have, in bytes.
	MaxMTU int32
	// Ask returns the inventories of agents and controllers.
	Ask Asker
}

// Asker asks at an address, HOST:PORT.
type Asker interface {
	Node(ctx context.Context, address string) (inventory.Node, error)
	Controller(ctx context.Context, address string) (inventory.Controller, error)
}

// Bounds of one look. At most this many agents are asked at once.
const (
	databaseTimeout = 15 * time.Second
	askTimeout      = 10 * time.Second
	askers          = 16
)

// Look gathers and checks, once.
func (s Sources) Look(ctx context.Context) (Report, error) {
	facts, err := s.Gather(ctx)
	if err != nil {
		return Report{}, err
	}
	return Report{
		Networks:      len(facts.Networks),
		Attachments:   len(facts.Attachments),
		Nodes:         len(facts.Nodes),
		Discrepancies: append([]Discrepancy{}, Check(facts)...),
		Unseen:        append([]Discrepancy{}, facts.Unseen...),
	}, nil
}

// Gather looks at everything. An error says that nothing can be said without
// what could not be looked at; single agents that can't be reached are among
// the facts.
func (s Sources) Gather(ctx context.Context) (Facts, error) {
	f := Facts{Fabric: s.Fabric, MaxMTU: s.MaxMTU, Agents: map[string]inventory.Node{}}
	gathers := []func(context.Context, *Facts) error{s.api, s.databases, s.inventories}
	if s.Fabric.Zoned() {
		gathers[1] = s.l2nodes
	}
	for _, gather := range gathers {
		if err := gather(ctx, &f); err != nil {
			return Facts{}, err
		}
	}
	return f, nil
}

func (s Sources) api(ctx context.Context, f *Facts) error {
	networks, attachments := &v1alpha1.L2NetworkList{}, &v1alpha1.L2AttachmentList{}
	pods, nodes, definitions := &corev1.PodList{}, &corev1.NodeList{}, &nadv1.NetworkAttachmentDefinitionList{}
	for _, list := range []client.ObjectList{networks, attachments, pods, nodes, definitions} {
		err := s.API.List(ctx, list)
		if list == client.ObjectList(definitions) && meta.IsNoMatchError(err) {
			continue // without Multus there are none
		}
		if err != nil {
			return fmt.Errorf("list %T: %w", list, err)
		}
	}
	f.Networks, f.Attachments, f.Pods = networks.Items, attachments.Items, pods.Items
	for _, node := range nodes.Items {
		f.Nodes = append(f.Nodes, node.Name)
	}
	for i := range definitions.Items {
		if d := &definitions.Items[i]; multus.Keeps(d) {
			f.Definitions = append(f.Definitions, client.ObjectKeyFromObject(d).String())
		}
	}
	return nil
}

// l2nodes is asked for where nodes have databases of their own.
func (s Sources) l2nodes(ctx context.Context, f *Facts) error {
	list := &v1alpha1.L2NodeList{}
	if err := s.API.List(ctx, list); err != nil {
		return fmt.Errorf("list %T: %w", list, err)
	}
	f.L2Nodes = list.Items
	return nil
}

func (s Sources) databases(ctx context.Context, f *Facts) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	var err error
	if f.Northbound, err = ovn.ReadNorthbound(ctx, s.Northbound); err != nil {
		return err
	}
	f.Southbound, err = ovn.ReadSouthbound(ctx, s.Southbound)
	return err
}

// inventories asks every agent and every controller that runs.
func (s Sources) inventories(ctx context.Context, f *Facts) error {
	var mu sync.Mutex
	note := func(where string, err error, keep func()) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			f.Unseen = append(f.Unseen, Discrepancy{Where: where, What: err.Error()})
			return
		}
		keep()
	}

	var group errgroup.Group
	group.SetLimit(askers)
	for _, pod := range s.servers(f.Pods) {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			if pod.program == inventory.AgentName {
				node, err := s.Ask.Node(ctx, pod.address)
				if err == nil && s.Fabric.Zoned() && node.Zone == nil {
					err = fmt.Errorf("its agent tells of no databases of its own: is its setting FABRIC another than %s?", s.Fabric)
				}
				note("node "+pod.node, err, func() { f.Agents[pod.node] = node })
				return nil
			}
			controller, err := s.Ask.Controller(ctx, pod.address)
			note("pod "+pod.name.String(), err, func() {
				if controller.Leads {
					f.Leaders = append(f.Leaders, controller)
				}
			})
			return nil
		})
	}
	_ = group.Wait() // failures are among the facts
	f.Unseen = append(f.Unseen, missing(*f)...)
	slices.SortFunc(f.Unseen, func(a, b Discrepancy) int { return cmp.Compare(a.Where, b.Where) })
	return nil
}

// missing says which nodes with attachments have no agent that could be asked,
// and whether no controller leads.
func missing(f Facts) []Discrepancy {
	var all []Discrepancy
	noted := map[string]bool{}
	for _, u := range f.Unseen {
		noted[u.Where] = true
	}
	for i := range f.Attachments {
		node := f.Attachments[i].Spec.NodeName
		_, asked := f.Agents[node]
		if where := "node " + node; node != "" && !asked && !noted[where] && slices.Contains(f.Nodes, node) {
			noted[where] = true
			all = append(all, Discrepancy{Where: where, What: "no l2sm-agent runs there"})
		}
	}
	if len(f.Leaders) == 0 {
		all = append(all, Discrepancy{Where: "l2sm-controller", What: "no replica leads"})
	}
	return all
}

// server is a pod that serves an inventory.
type server struct {
	program string
	name    types.NamespacedName
	node    string
	address string
}

// metricsPort is what the manifests call the port that serves inventories.
const metricsPort = "metrics"

// servers are the agents and controllers among the pods.
func (s Sources) servers(pods []corev1.Pod) []server {
	var all []server
	for i := range pods {
		pod := &pods[i]
		program := pod.Labels["app.kubernetes.io/name"]
		ours := pod.Namespace == s.Namespace && (program == inventory.AgentName || program == inventory.ControllerName)
		port := portOf(pod)
		if !ours || attach.Ended(pod) || pod.Status.PodIP == "" || port == 0 {
			continue
		}
		all = append(all, server{
			program: program,
			name:    client.ObjectKeyFromObject(pod),
			node:    pod.Spec.NodeName,
			address: hostPort(pod.Status.PodIP, port),
		})
	}
	return all
}

func portOf(pod *corev1.Pod) int32 {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == metricsPort {
				return p.ContainerPort
			}
		}
	}
	return 0
}
