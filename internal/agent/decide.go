package agent

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// decision is what is to be done for an attachment.
type decision struct {
	// strays are ports of the attachment's name that must go: the attachment is
	// gone, belongs to another pod or another life of its pod, or is refused.
	strays []ovs.Port
	// plug says that the attachment is to be plugged into view.sandbox.
	plug bool
	// mtu is to be set on both ends of the port, in bytes; zero leaves it.
	mtu int
	// acceptRA is the pod's sysctl accept_ra that is to be set; empty leaves it.
	acceptRA string
	// routes is whether the pod may send Router Advertisements by now, yes or no;
	// empty leaves it.
	routes string
	// noted is to be written on the port, where it differs.
	noted ovs.Noted
}

// decide is pure.
func decide(v view) decision {
	var d decision
	for _, p := range v.ports {
		if v.attachment == nil || refusedPort(v.attachment) || p.Attachment != string(v.attachment.UID) || p.Sandbox.PodUID != string(v.attachment.Spec.PodUID) {
			d.strays = append(d.strays, p)
		}
	}
	if v.attachment == nil || refusedPort(v.attachment) {
		return d
	}
	port := v.port()
	// What ovs-vswitchd refuses although its device is there would be refused
	// again.
	if v.wantsSandbox() && v.sandbox != nil && (port == nil || port.Sandbox.Container != v.sandbox.container || !v.device) {
		d.plug = true
		return d
	}
	if port == nil {
		return d
	}
	d.noted = port.Noted
	if stays, refused := refusedMove(v.attachment); refused {
		d.noted.Network = stays
	}
	if v.attachment.Status.MTU != 0 && !moveAhead(v.attachment) && !moving(v.attachment, d.noted) {
		d.follow(v.attachment.Status)
	}
	return d
}

// follow has the interface be as its network is by now.
func (d *decision) follow(network v1alpha1.L2AttachmentStatus) {
	if mtu := int(network.MTU); mtu != d.noted.MTU {
		d.mtu, d.noted.MTU = mtu, mtu
	}
	if accept := link.AcceptRA(network.AcceptRouterAdvertisements); accept != d.noted.AcceptRA {
		d.acceptRA, d.noted.AcceptRA = accept, accept
	}
	if routes := yesNo(network.SendRouterAdvertisements); routes != d.noted.Routes {
		d.routes, d.noted.Routes = routes, routes
	}
}

// moveAhead says whether the port is about to be moved: the MTU may be that of
// the new network already, which the controller grants first.
func moveAhead(a *v1alpha1.L2Attachment) bool {
	on, has := a.PortNetwork()
	return has && on != a.NetworkKey() && !isRefused(a)
}

// moving says whether the port's flows are not known to be those of the
// network that the controller has put it on.
func moving(a *v1alpha1.L2Attachment, noted ovs.Noted) bool {
	on, has := a.PortNetwork()
	return has && noted.Network != "" && noted.Network != on.String()
}

// refusedMove is the network that the port stays on although the attachment
// asks for another.
func refusedMove(a *v1alpha1.L2Attachment) (string, bool) {
	on, has := a.PortNetwork()
	return on.String(), has && on != a.NetworkKey() && isRefused(a)
}

// refusedPort says whether the controller refuses the attachment and keeps no
// port for it: flows that are still there are about to be removed, and so is the
// interface, until the controller accepts the attachment.
func refusedPort(a *v1alpha1.L2Attachment) bool {
	_, has := a.PortNetwork()
	return !has && isRefused(a)
}

// isRefused says whether the controller refuses the spec as it is now.
func isRefused(a *v1alpha1.L2Attachment) bool {
	c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
	return c != nil && c.Status == metav1.ConditionFalse && c.ObservedGeneration == a.Generation
}

// attribute says which network the flows of a port are of that were installed
// again, and whether that is sure: the controller writes where a port is only
// after it has moved it, and the caches lag behind.
func attribute(a *v1alpha1.L2Attachment, noted ovs.Noted) (network string, sure bool) {
	on, has := a.PortNetwork()
	switch {
	case !has:
		return a.NetworkKey().String(), false
	case on.String() != noted.Network:
		return on.String(), true
	case on == a.NetworkKey():
		return on.String(), false // or a move that the cache does not show yet
	case isRefused(a):
		return on.String(), true
	default:
		return a.NetworkKey().String(), true
	}
}
