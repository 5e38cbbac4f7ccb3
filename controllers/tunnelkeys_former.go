package controllers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// formerPatience is how long the southbound database may take to tell of its keys.
const formerPatience = 10 * time.Second

// withFormer gives networks and ports that have no key on record the one that OVN has
// given them, so that nodes go on with it: a former version recorded none on FabricCentral.
// Where OVN can't tell, they get others, and nodes stop for as long as it takes them to
// follow.
func (p *placement) withFormer(ctx context.Context, networks []v1alpha1.L2Network, attachments []v1alpha1.L2Attachment) {
	if !p.keys.direct || p.given == nil || !unrecorded(networks, attachments) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, formerPatience)
	defer cancel()
	given, err := p.given(ctx)
	if err != nil {
		log.FromContext(ctx).Info("OVN can't tell which tunnel keys it has given: networks and ports without one on record get others", "reason", err.Error())
		return
	}
	recordFormer(networks, attachments, given)
}

// unrecorded says whether any of them has a place in OVN and no key on record.
func unrecorded(networks []v1alpha1.L2Network, attachments []v1alpha1.L2Attachment) bool {
	for i := range networks {
		if networks[i].Status.InForce != nil && networks[i].Status.TunnelKey == 0 {
			return true
		}
	}
	for i := range attachments {
		if attachments[i].Status.Network != nil && attachments[i].Status.TunnelKey == 0 {
			return true
		}
	}
	return false
}

// recordFormer notes the keys in memory alone: their own reconciles write them.
func recordFormer(networks []v1alpha1.L2Network, attachments []v1alpha1.L2Attachment, given ovn.Bindings) {
	switches, ports := map[string]int32{}, map[string]int32{}
	for _, s := range given.Switches {
		switches[s.Name] = int32(s.TunnelKey)
	}
	for _, b := range given.Ports {
		ports[b.Port] = int32(b.TunnelKey)
	}
	for i := range networks {
		n := &networks[i]
		if n.Status.TunnelKey == 0 {
			n.Status.TunnelKey = switches[ovn.Key(n.Key()).Switch()]
		}
		if s := n.Status.Stretch; s != nil && s.TunnelKey == 0 {
			s.TunnelKey = ports[v1alpha1.PortOf(v1alpha1.EdgeOf(n.Key()))]
		}
	}
	for i := range attachments {
		if a := &attachments[i]; a.Status.Network != nil && a.Status.TunnelKey == 0 {
			a.Status.TunnelKey = ports[a.PortName()]
		}
	}
}
