package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"l2sm.io/l2sm/e2e/lab/patience"
)

// DefaultMainCNI is the plugin of the nodes' main network where none is chosen.
const DefaultMainCNI = "ptp"

// mainCNIWithin bounds the wait for a main network's daemons.
const mainCNIWithin = 4 * time.Minute

// mainCNI is what plugs pods into the cluster's main network.
type mainCNI struct {
	module *module // that it is built from beside the usual plugins; nil for one of those
	image  string  // what its daemons run in; empty without
	// Files in config/: of Multus with this plugin as its delegate, and of the plugin without Multus, empty where the lab
	// has none.
	multus, alone string
	plugins       []string // of the module's programs, what the container runtime calls
	manifests     string   // below the repository; empty without
	workloads     []string // of the manifests, in ovn-kubernetes: what is waited for
	services      bool     // it does kube-proxy's work
}

// mainCNIs are the plugins that a cluster may have for its main network, by their names for people.
//
// The usual one is ptp rather than bridge because it routes every packet through the node, so that a Service's answer
// passes the rules that asked, also without br_netfilter.
var mainCNIs = map[string]mainCNI{
	DefaultMainCNI: {multus: "multus.json", alone: "main.json"},
	"ovn-kubernetes": {
		module: &ovnKubernetesModule, image: "ovnkube", multus: "multus-ovn-kubernetes.json",
		plugins: []string{"ovn-k8s-cni-overlay", "checksums"}, manifests: "e2e/lab/ovn-kubernetes",
		workloads: []string{"daemonset/ovs-node", "daemonset/ovnkube-node", "deployment/ovnkube-control-plane"},
		services:  true,
	},
}

// MainCNIs are the names of the plugins that a cluster may have for its main network.
func MainCNIs() []string { return slices.Sorted(maps.Keys(mainCNIs)) }

// mainCNIOf finds what was asked for, before anything is built or removed.
func mainCNIOf(o Options) (mainCNI, error) {
	m, ok := mainCNIs[o.MainCNI]
	if !ok {
		return m, fmt.Errorf("main CNI plugin %q: there are %s", o.MainCNI, strings.Join(MainCNIs(), ", "))
	}
	if o.NoMultus && m.alone == "" {
		return m, fmt.Errorf("main CNI plugin %q is Multus' delegate here: leave --no-multus away", o.MainCNI)
	}
	return m, nil
}

// mainCNI is that of a cluster that is there.
func (l *Lab) mainCNI() mainCNI { return mainCNIs[l.state.MainCNI] }

// applyMainCNI creates what the main network consists of beside its plugin.
func (l *Lab) applyMainCNI(ctx context.Context, repository string) error {
	if l.mainCNI().manifests == "" {
		return nil
	}
	if _, err := l.Kubectl(ctx, "apply", "-k", filepath.Join(repository, l.mainCNI().manifests)); err != nil {
		return fmt.Errorf("apply %s: %w", l.state.MainCNI, err)
	}
	return nil
}

// waitForMainCNI waits for its daemons: until then no pod of another network than the node's gets an address.
func (l *Lab) waitForMainCNI(ctx context.Context) error {
	for _, workload := range l.mainCNI().workloads {
		_, err := l.Kubectl(ctx, "rollout", "status", "--namespace=ovn-kubernetes", workload, patience.Timeout(mainCNIWithin))
		if err != nil {
			return errors.Join(err, fmt.Errorf("see what it says: bin/lab --name %s kubectl -n ovn-kubernetes logs %s --all-containers", l.plan.Name, workload))
		}
	}
	return nil
}

// network is the configuration of the nodes' main network, in config/ and on the node.
//
// Multus has its delegates inline: given the name of their file instead, 4.2.3 loses their address ranges on DEL, pods
// hang in Terminating and addresses leak.
func (l *Lab) network() (config, file string) {
	if l.state.NoMultus {
		return l.mainCNI().alone, "00-main.conflist"
	}
	return l.mainCNI().multus, "00-multus.conf"
}
