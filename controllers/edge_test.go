package controllers

import (
	"context"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// carried is an API with an edge, whose Lease a node holds, and with networks.
type carried struct {
	holder   string
	networks []v1alpha1.L2Network
}

func (c *carried) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	switch o := o.(type) {
	case *v1alpha1.L2Edge:
		o.Name, o.Spec.MTU = key.Name, 1500
		return nil
	case *coordinationv1.Lease:
		o.Spec.HolderIdentity = &c.holder
		return nil
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (c *carried) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *corev1.NodeList:
		for _, name := range []string{"a", "b"} {
			node := corev1.Node{}
			node.Name = name
			list.Items = append(list.Items, node)
		}
	case *v1alpha1.L2NetworkList:
		list.Items = c.networks
	}
	return nil
}

// Before the first network is judged after a start it is known which edge carries them
// and which ids they have: they would lose their ports else.
func TestStretchesAreLoaded(t *testing.T) {
	api := &carried{holder: "b", networks: []v1alpha1.L2Network{*withID("a", 7, "1")}}
	s := newStretches(reads{cached: api, live: api}, nil, Config{}, &wakeups{})
	if err := s.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.edgeNow().Active != "b" || !s.ids.has(&api.networks[0], 7) {
		t.Errorf("networks follow %+v, ids are %v", s.edgeNow(), s.ids.holders)
	}
	for _, tc := range []struct {
		holder, active string
		changed        bool
	}{{"b", "b", false}, {"", "b", false}, {"a", "a", true}, {"a", "a", false}, {"c", "a", false}} {
		api.holder = tc.holder
		seen, err := s.look(t.Context())
		if err != nil || seen.edge.Active != tc.active || seen.changed != tc.changed {
			t.Errorf("held by %q: active is %q, changed %t, %v", tc.holder, seen.edge.Active, seen.changed, err)
		}
	}
}
