package lab

import (
	"fmt"
	"regexp"
	"strings"
)

// What is the same in every cluster. Clusters do not meet: each has its own network namespaces.
const (
	apiIP         = "10.250.0.1"
	apiPort       = "6443"
	serviceCIDR   = "10.96.0.0/16"
	serviceIP     = "10.96.0.1" // Service default/kubernetes, the first of its range
	dnsIP         = "10.96.0.10"
	podsCIDR      = "10.244.0.0/16"
	mainMTU       = 1500
	tunnelMTU     = 1600 // 100 more than Ethernet's: an L2Network of 1500 fits with Geneve's 58 bytes
	maxNodes      = 200  // the third byte of a pod network's address is the node's number
	fabric        = "fabric"
	controlPlane  = "cp"
	nodePrefix    = "n"
	firstNodeIP   = 10 // node n1 is 10.250.0.11
	maxNameLength = 30
)

var validName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

// plan says which namespaces, names and addresses a cluster has. It follows from the cluster's name and size alone.
type plan struct {
	Name  string
	Nodes []nodePlan
}

type nodePlan struct {
	Name      string // of the Kubernetes node
	Namespace string // network namespace, and control group
	IP        string // of eth0, the InternalIP
	TunnelIP  string // of eth1
	MAC       string // of eth0
	TunnelMAC string // of eth1
	PodCIDR   string
}

func newPlan(name string, nodes int) (plan, error) {
	if !validName.MatchString(name) || len(name) > maxNameLength {
		return plan{}, fmt.Errorf("name %q: want at most %d lower case letters, digits and dashes, a letter first", name, maxNameLength)
	}
	if nodes < 1 || nodes > maxNodes {
		return plan{}, fmt.Errorf("%d nodes: want 1 to %d", nodes, maxNodes)
	}
	p := plan{Name: name}
	for i := 1; i <= nodes; i++ {
		node := fmt.Sprintf("%s%d", nodePrefix, i)
		p.Nodes = append(p.Nodes, nodePlan{
			Name:      node,
			Namespace: p.namespace(node),
			IP:        fmt.Sprintf("10.250.0.%d", firstNodeIP+i),
			TunnelIP:  fmt.Sprintf("10.251.0.%d", firstNodeIP+i),
			MAC:       fmt.Sprintf("02:00:0a:fa:00:%02x", firstNodeIP+i),
			TunnelMAC: fmt.Sprintf("02:00:0a:fb:00:%02x", firstNodeIP+i),
			PodCIDR:   fmt.Sprintf("10.244.%d.0/24", i),
		})
	}
	return p, nil
}

func (p plan) node(name string) (nodePlan, error) {
	var names []string
	for _, n := range p.Nodes {
		if n.Name == name {
			return n, nil
		}
		names = append(names, n.Name)
	}
	return nodePlan{}, fmt.Errorf("no node %q: there are %s", name, strings.Join(names, ", "))
}

func (p plan) namespace(part string) string { return p.Name + "-" + part }

// owns tells whether a network namespace or control group is this cluster's, whatever its number of nodes is or was.
func (p plan) owns(name string) bool {
	part, ok := strings.CutPrefix(name, p.Name+"-")
	if !ok {
		return false
	}
	number, isNode := strings.CutPrefix(part, nodePrefix)
	return part == fabric || part == controlPlane || part == wan || isNode && strings.Trim(number, "0123456789") == "" && number != ""
}
