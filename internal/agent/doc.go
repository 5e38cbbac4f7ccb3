// Package agent is the node's side of l2sm: it answers the CNI plugin's calls,
// and says on each L2Attachment of its node whether it is wired.
//
// An ADD runs through these stages, each in a file of its own:
//
//	entered     call.go     the plugin asks; one lock per pod keeps order
//	attachments wanted.go   the pod's requests, and the wait for their attachments
//	            plan.go     what to make and what to remove: pure
//	plugged     plug.go     veth pairs, then one transaction to OVS
//	installed               ovn-controller has installed the ports' flows
//	returned    add.go      the interfaces with their addresses
//
// Nothing is remembered: DEL, CHECK and GC read what an ADD made from OVS and
// from the kernel. What is plugged is keyed by its sandbox (ovs.Sandbox), so
// that plugging and unplugging do not depend on who asks.
package agent
