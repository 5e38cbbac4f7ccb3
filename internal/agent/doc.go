// Package agent is the node's side of l2sm: it answers the CNI plugin's calls,
// keeps the interfaces of running pods in line with the node's L2Attachments,
// and says on each of them whether it is wired.
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
// Where the container runtime tells of sandboxes (internal/nri), what no ADD did is
// done before the pod's containers are made:
//
//	early.go        who waits, and which container may be made
//	early_attach.go an ADD without its waits
//
// Everything else is off the path that a starting pod waits for:
//
//	watch.go    what wakes the watch: attachments, pods, ports, devices
//	gather.go   one attachment, its pod, its ports, its pod's sandbox by the CRI
//	decide.go   what has to be done: pure
//	hot.go      plug, unplug, set the MTU
//	readiness.go what condition Ready has to say
//	moves.go    flows that were installed again: forget neighbours, announce, note
//	steer.go    several interfaces of a pod in one subnet: answer by the one asked
//	static.go   which sandbox is a pod's: static pods have two UIDs
//	sweep.go    what sandboxes that are gone have left
//	sessions.go what is done at each connection to OVS
//	serving.go  probes; metrics, inventory and profiles
//
// internal/kube caches the pods and attachments of the node, and no others: what
// the agent needs of an L2Network, its MTU, stands in the attachment's status.
//
// Little is remembered: DEL, CHECK, GC and the watch read what was made from
// OVS and from the kernel. What is plugged is keyed by its sandbox
// (ovs.Sandbox), so that plugging and unplugging do not depend on who asks. The
// containers that a DEL came for are held in memory until the runtime lists
// them no more; an agent that starts without that memory may plug into a
// sandbox that is on its way out, and its sweep takes that back.
package agent
