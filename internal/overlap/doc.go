// Package overlap finds the networks whose subnets are the cluster's own
// addresses too. A pod on such a network sends to the network what it means for
// the cluster: it loses Services and DNS, other pods, or nodes.
package overlap
