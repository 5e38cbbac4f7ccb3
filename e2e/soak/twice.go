package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// watch looks at every change of every attachment until ctx ends.
func (s *soak) watch(ctx context.Context) error {
	held := holdings{byValue: map[string]types.UID{}, byHolder: map[types.UID][]string{}, names: map[types.UID]string{}}
	version := ""
	for ctx.Err() == nil {
		w, err := s.api.Watch(ctx, &v1alpha1.L2AttachmentList{}, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true}})
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch attachments: %w", err)
		}
		for e := range w.ResultChan() {
			a, ok := e.Object.(*v1alpha1.L2Attachment)
			if !ok && ctx.Err() != nil {
				return nil
			}
			if !ok {
				return fmt.Errorf("watch attachments: %v", e.Object)
			}
			version = a.ResourceVersion
			if e.Type == watch.Bookmark {
				continue
			}
			s.tally.change()
			for _, twice := range held.see(a, e.Type == watch.Deleted) {
				s.tally.discrepancy(twice)
			}
		}
	}
	return nil
}

// holdings are who has which address on which network.
type holdings struct {
	byValue  map[string]types.UID
	byHolder map[types.UID][]string
	names    map[types.UID]string
}

// see takes a change in, and says what it has given out twice.
func (h *holdings) see(a *v1alpha1.L2Attachment, gone bool) []string {
	for _, value := range h.byHolder[a.UID] {
		delete(h.byValue, value)
	}
	delete(h.byHolder, a.UID)
	if gone || !holds(a) {
		return nil
	}
	var twice []string
	h.names[a.UID] = a.Namespace + "/" + a.Name
	for _, value := range values(a) {
		if other, taken := h.byValue[value]; taken {
			twice = append(twice, fmt.Sprintf("%s is that of %s and of %s", value, h.names[other], h.names[a.UID]))
			continue
		}
		h.byValue[value] = a.UID
		h.byHolder[a.UID] = append(h.byHolder[a.UID], value)
	}
	return twice
}

// holds says whether the attachment has what it records: it is complete, and
// not refused, or keeps a port although a move is.
func holds(a *v1alpha1.L2Attachment) bool {
	refused := meta.IsStatusConditionFalse(a.Status.Conditions, v1alpha1.ConditionAccepted)
	_, hasPort := a.PortNetwork()
	return a.Complete() && (!refused || hasPort)
}

// values are the attachment's MAC and IP addresses on the network that its port
// is on, or will be.
func values(a *v1alpha1.L2Attachment) []string {
	network, has := a.PortNetwork()
	if !has {
		network = a.NetworkKey()
	}
	all := []string{fmt.Sprintf("%s on network %s", a.Spec.MACAddress, network)}
	for _, address := range a.Spec.Addresses {
		all = append(all, fmt.Sprintf("%s on network %s", address, network))
	}
	return all
}
