package main

import "math/rand/v2"

// members are the nodes that networks have a pod on, by number.
type members struct {
	nodesOf    [][]int // of each network
	networksOf [][]int // of each node
}

// newMembers spreads networks over nodes: each node is a member of so many networks, and each network has so many
// members at most. Neighbours on one network are not neighbours on the next, as where a scheduler places pods; the same
// numbers give the same members.
func newMembers(nodes, each, most int) members {
	m := members{networksOf: make([][]int, nodes)}
	random := rand.New(rand.NewPCG(uint64(nodes), uint64(each)))
	for range each {
		order := random.Perm(nodes)
		for len(order) > 0 {
			n := min(most, len(order))
			for _, node := range order[:n] {
				m.networksOf[node] = append(m.networksOf[node], len(m.nodesOf))
			}
			m.nodesOf = append(m.nodesOf, order[:n:n])
			order = order[n:]
		}
	}
	return m
}

// portsOn is how many ports a node's own databases hold: those of all members of its networks.
func (m members) portsOn(node int) int {
	n := 0
	for _, network := range m.networksOf[node] {
		n += len(m.nodesOf[network])
	}
	return n
}

// pods is how many there are: one for each member of each network.
func (m members) pods() int {
	n := 0
	for _, nodes := range m.nodesOf {
		n += len(nodes)
	}
	return n
}

// others are the nodes of the network that are not among those of the other one.
func (m members) others(network, besides int) []int {
	on := map[int]bool{}
	for _, node := range m.nodesOf[besides] {
		on[node] = true
	}
	var all []int
	for _, node := range m.nodesOf[network] {
		if !on[node] {
			all = append(all, node)
		}
	}
	return all
}
