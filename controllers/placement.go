package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/ipam"
	"l2sm.io/l2sm/internal/turn"
	"l2sm.io/l2sm/ovn"
)

// placement finds out on which network an attachment is, and takes what it has
// there. The reconcilers of attachments and of networks ask it: the first for
// one that has changed, the second for all of a network that has.
type placement struct {
	reads
	ledger *admission.Ledger
	keys   *tunnelKeys
	// given reads which keys OVN has given, nil where there is none to ask.
	given  func(context.Context) (ovn.Bindings, error)
	loaded *loading
	// stretches decide which networks go on in other clusters.
	stretches *stretches
	ranges    *clusterRanges
	peers     *peerNetworks // nil but on FabricOVNKubernetes
	// turns has the state of one attachment be read and acted upon by one at a
	// time: the last one to act has read the newest state.
	turns *turn.Turns
	// maxMTU is the largest that pods may have, in bytes.
	maxMTU int32
}

// placeFacts are what is known of an attachment that asks for its place.
type placeFacts struct {
	attachment *v1alpha1.L2Attachment
	// binding is why its pod permits it no port.
	binding error
	// names is the network that it names, on the one that its port is on where
	// that is another: each nil where the API has none.
	names, on candidate
	// asked is what it asks for where its spec does not record all of it.
	asked func() (ipam.Request, error)
}

// candidate is a network that an attachment may be on.
type candidate struct {
	network *v1alpha1.L2Network
	admission.Surroundings
}

// place is where an attachment is.
type place struct {
	admission.Taken
	// refused is why the spec is not fulfilled, nil where it is. Taken is then of
	// the network that the port stays on, if any.
	refused *admission.Refusal
	keying  keying
	key     int32 // the port's, with keyHeld
}

// keying is how far a port's tunnel key is.
type keying int

const (
	keyNone    keying = iota // the port needs none, or there is no port
	keyAwaited               // the network's own is not on record yet
	keyHeld
	keyRefused // there is none: refused says why, and addresses are kept all the same
)

// keyedAs is the attachment with the tunnel key that it holds, on record or not yet.
func (p place) keyedAs(a *v1alpha1.L2Attachment) *v1alpha1.L2Attachment {
	keyed := *a
	keyed.Status.TunnelKey = p.key
	return &keyed
}

// on says whether the attachment has a place on any network.
func (p place) on() bool { return p.Network != nil }

func (p *placement) gather(ctx context.Context, a *v1alpha1.L2Attachment, pod *corev1.Pod, asked func() (ipam.Request, error)) (placeFacts, error) {
	f := placeFacts{attachment: a, binding: admission.MayHavePort(a, pod), asked: asked}
	var err error
	if f.names, err = p.candidate(ctx, a.NetworkKey(), a.Namespace); err != nil {
		return f, err
	}
	if on, has := a.PortNetwork(); has && a.Bound() && on != a.NetworkKey() {
		f.on, err = p.candidate(ctx, on, a.Namespace)
	}
	return f, err
}

func (p *placement) candidate(ctx context.Context, key types.NamespacedName, namespace string) (candidate, error) {
	network, err := p.network(ctx, key)
	if err != nil || network == nil {
		return candidate{}, err
	}
	s, err := p.surroundings(ctx, network, namespace)
	return candidate{network, s}, err
}

// request is what the attachment asks of the first network, or why it can ask
// nothing. It is pure.
func (f placeFacts) request() (ipam.Request, error) {
	if f.binding != nil {
		return ipam.Request{}, f.binding
	}
	if f.names.network == nil {
		return ipam.Request{}, admission.Refuse(v1alpha1.NetworkNotFound(f.attachment.NetworkKey()))
	}
	if f.asked == nil {
		return admission.RequestOf(requestOf(f.attachment))
	}
	return f.asked()
}

// take takes what the attachment has on the network that it names, or, where it
// is refused there, on the one that its port is on. What it has elsewhere is
// released, but while it moves.
func (p *placement) take(f placeFacts) (place, error) {
	a := f.attachment
	request, err := f.request()
	var taken admission.Taken
	if err == nil {
		taken, err = p.ledger.Take(admission.Ask{Network: f.names.network, Attachment: a, Surroundings: f.names.Surroundings, Request: request})
	} else {
		p.ledger.Quit(client.ObjectKeyFromObject(a))
	}
	if err == nil && !a.Bound() {
		p.ledger.Keep(a, a.NetworkKey()) // it has no port that has yet to move
	}
	if err == nil {
		return p.keyed(f, place{Taken: taken})
	}
	refused, is := admission.AsRefusal(err)
	switch {
	case !is:
		return place{}, err
	case refused.Keeps:
		return p.keyed(f, place{Taken: taken, refused: refused})
	case f.binding == nil && f.on.network != nil:
		return p.stay(f, refused)
	case refused.Reserves:
		p.ledger.Keep(a, a.NetworkKey())
		return place{refused: refused}, nil
	}
	p.ledger.Keep(a)
	return place{refused: refused}, nil
}

// stay has an attachment whose move is refused stay where its port is.
func (p *placement) stay(f placeFacts, refused *admission.Refusal) (place, error) {
	a := f.attachment
	taken, err := p.ledger.Hold(admission.Ask{Network: f.on.network, Attachment: a, Surroundings: f.on.Surroundings})
	if _, gone := admission.AsRefusal(err); gone {
		p.ledger.Keep(a)
		return place{refused: refused}, nil
	}
	if err != nil {
		return place{}, err
	}
	p.ledger.Keep(a, client.ObjectKeyFromObject(f.on.network))
	f.names, f.on = f.on, candidate{}
	return p.keyed(f, place{Taken: taken, refused: refused})
}

// keyed has the port that an attachment has at its place hold a tunnel key, where
// one is needed. One that moves and gets none stays where its port is.
func (p *placement) keyed(f placeFacts, at place) (place, error) {
	a := f.attachment
	if !a.Bound() || !a.Complete() {
		return at, nil
	}
	key, err := p.keys.port(f.names.network, a)
	refused, is := admission.AsRefusal(err)
	switch {
	case is && f.on.network != nil:
		return p.stay(f, refused)
	case is:
		at.refused, at.keying = refused, keyRefused
	case key == 0:
		at.keying = keyAwaited
	default:
		at.keying, at.key = keyHeld, key
	}
	return at, nil
}

// grant takes what a pod asks for, for the attachment that is about to record
// it. A refusal says why the pod has to wait or to ask for something else.
func (p *placement) grant(ctx context.Context, a *v1alpha1.L2Attachment, request attach.Request) (ipam.Lease, error) {
	if err := p.loaded.wait(ctx, p); err != nil {
		return ipam.Lease{}, err
	}
	names, err := p.candidate(ctx, request.Network, a.Namespace)
	if err != nil {
		return ipam.Lease{}, err
	}
	if names.network == nil {
		return ipam.Lease{}, admission.Refuse(v1alpha1.NetworkNotFound(request.Network))
	}
	asked, err := admission.RequestOf(request)
	if err != nil {
		return ipam.Lease{}, err
	}
	taken, err := p.ledger.Take(admission.Ask{Network: names.network, Attachment: a, Surroundings: names.Surroundings, Request: asked})
	return taken.Lease, err
}

// arrive frees what the attachment has elsewhere, tunnel keys and addresses, once
// it is seen to be on record where its place is.
func (p *placement) arrive(a *v1alpha1.L2Attachment, at place) {
	on := types.NamespacedName{}
	if at.on() && a.Bound() {
		on = at.Network.Key()
	}
	recorded, has := a.PortNetwork()
	waits := at.refused != nil && at.refused.Reason == v1alpha1.ReasonNoTunnelKey
	if p.keys.keep(a, on, waits) && has && recorded == on {
		p.ledger.Settle(on, a.Key(), a.UID)
	}
}
