package audit

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/multus"
)

// pods compares what pods are told in annotation network-status with their
// attachments. A pod that Multus has not written to is told nothing.
func (c *check) pods() {
	for i := range c.Pods {
		pod := &c.Pods[i]
		text, told := pod.Annotations[nadv1.NetworkStatusAnnot]
		if !told || attach.Ended(pod) {
			continue
		}
		where := "pod " + client.ObjectKeyFromObject(pod).String() + ", network-status"
		var entries []nadv1.NetworkStatus
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			c.report(where, "can't be read: %v", err)
			continue
		}
		want, ours := c.statusOf(pod)
		entries = slices.DeleteFunc(entries, func(s nadv1.NetworkStatus) bool { return s.Default || !ours(s) })
		compare(c, things[nadv1.NetworkStatus]{
			kind: where + " of", owner: "L2Attachment that is Ready",
			name: func(s nadv1.NetworkStatus) string { return s.Name + " " + s.Interface },
			differs: func(want, have nadv1.NetworkStatus) []string {
				return slices.Concat(unequal("mac", want.Mac, have.Mac), unequal("mtu", want.Mtu, have.Mtu), unequalSets("ips", want.IPs, have.IPs))
			},
		}, want, entries)
	}
}

// statusOf is what the pod should be told, and which entries are the
// controller's to write, by the controller's own rule: those of an interface
// that an attachment of the pod has, and those of a definition that it keeps
// which the pod does not ask for. What the pod asks for and no attachment has,
// another plugin has wired before the definition was l2sm's.
func (c *check) statusOf(pod *corev1.Pod) (want []nadv1.NetworkStatus, ours func(nadv1.NetworkStatus) bool) {
	interfaces := map[string]bool{}
	for i := range c.Attachments {
		a := &c.Attachments[i]
		if a.Namespace != pod.Namespace || a.Spec.PodUID != pod.UID {
			continue
		}
		interfaces[a.Spec.Interface] = true
		if s, ready := multus.StatusEntry(a); ready {
			want = append(want, s)
		}
	}
	asked := askedOfMultus(pod)
	return want, func(s nadv1.NetworkStatus) bool {
		kept := c.kept[s.Name] && !asked[s.Name+" "+s.Interface]
		return kept || interfaces[s.Interface] || s.Name == multus.PodNetworks.String()
	}
}

// askedOfMultus are the networks and interfaces, "namespace/name interface",
// that the pod's Multus annotation asks for.
func askedOfMultus(pod *corev1.Pod) map[string]bool {
	requests, err := attach.Parse(pod)
	if err != nil {
		return nil // the controller can't read it either
	}
	asked := map[string]bool{}
	for _, r := range requests.Multus {
		asked[r.Network.String()+" "+r.Interface] = true
	}
	return asked
}

// leases compares what the leading controller has given out with what the
// attachments record.
func (c *check) leases() {
	if len(c.Leaders) != 1 {
		if len(c.Leaders) > 1 {
			c.report("l2sm-controller", "%d replicas lead", len(c.Leaders))
		}
		return
	}
	has := map[string]bool{}
	for _, lease := range c.Leaders[0].Leases {
		has[leaseName(lease)] = true
	}
	var want []inventory.Lease
	for i := range c.Attachments {
		a := &c.Attachments[i]
		lease := leaseOf(a)
		// What is refused may have its lease still.
		if holds(a) || a.Complete() && has[leaseName(lease)] {
			want = append(want, lease)
		}
	}
	compare(c, things[inventory.Lease]{
		kind: "l2sm-controller, lease", owner: "L2Attachment", name: leaseName,
		differs: func(want, have inventory.Lease) []string {
			return slices.Concat(unequal("its MAC address", want.MAC, have.MAC), unequalSets("its addresses", want.Addresses, have.Addresses))
		},
	}, want, c.Leaders[0].Leases)
}

// holds says whether the attachment has its addresses for certain.
func holds(a *v1alpha1.L2Attachment) bool {
	_, has := a.PortNetwork()
	return a.Complete() && (isAccepted(a) || has)
}

func leaseName(l inventory.Lease) string { return fmt.Sprintf("of %s on %s", l.Owner, l.Network) }

func leaseOf(a *v1alpha1.L2Attachment) inventory.Lease {
	l := inventory.Lease{
		Network: admission.LeaseNetwork(a).String(),
		Owner:   client.ObjectKeyFromObject(a).String(),
		MAC:     strings.ToLower(a.Spec.MACAddress),
	}
	for _, text := range a.Spec.Addresses {
		if p, err := netip.ParsePrefix(text); err == nil {
			text = p.String()
		}
		l.Addresses = append(l.Addresses, text)
	}
	return l
}

// twice looks for a MAC address or an address that two attachments have on one
// network.
func (c *check) twice() {
	owners := map[string][]string{}
	for i := range c.Attachments {
		a := &c.Attachments[i]
		if !holds(a) {
			continue
		}
		lease := leaseOf(a)
		where := "L2Network " + lease.Network + ", "
		owners[where+"MAC address "+lease.MAC] = append(owners[where+"MAC address "+lease.MAC], lease.Owner)
		for _, address := range lease.Addresses {
			host, _, _ := strings.Cut(address, "/")
			owners[where+"address "+host] = append(owners[where+"address "+host], lease.Owner)
		}
	}
	for where, who := range owners {
		if len(who) > 1 {
			slices.Sort(who)
			c.report(where, "is held by %s", strings.Join(who, " and "))
		}
	}
}
