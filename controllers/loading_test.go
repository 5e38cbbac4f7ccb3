package controllers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// pages are attachments, as an API server gives them out that keeps to the
// limits it is asked for.
type pages struct {
	client.Reader
	attachments int
	asked       []int64
	broken      error
}

func (p *pages) List(_ context.Context, o client.ObjectList, opts ...client.ListOption) error {
	options := client.ListOptions{}
	options.ApplyOptions(opts)
	p.asked = append(p.asked, options.Limit)
	from, _ := strconv.Atoi(options.Continue)
	to := p.attachments
	list := o.(*v1alpha1.L2AttachmentList)
	if options.Limit > 0 && from+int(options.Limit) < p.attachments {
		to = from + int(options.Limit)
		list.Continue = strconv.Itoa(to)
	}
	if p.broken != nil && from > 0 {
		return p.broken
	}
	for i := from; i < to; i++ {
		a := v1alpha1.L2Attachment{}
		a.Name = fmt.Sprint(i)
		list.Items = append(list.Items, a)
	}
	return nil
}

func TestAllAttachmentsAreReadInPages(t *testing.T) {
	cases := map[string]struct {
		reason      string
		attachments int
		asked       []int64
	}{
		"None":     {"an API without attachments", 0, []int64{pageSize}},
		"OnePage":  {"as many as fit on a page", pageSize, []int64{pageSize}},
		"TwoPages": {"one more", pageSize + 1, []int64{pageSize, pageSize}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			api := &pages{attachments: tc.attachments}
			all, err := (&reads{live: api}).allAttachments(t.Context())
			if err != nil || len(all) != tc.attachments {
				t.Errorf("%s: read %d of %d, %v", tc.reason, len(all), tc.attachments, err)
			}
			for i := range all {
				if all[i].Name != fmt.Sprint(i) {
					t.Fatalf("%s: number %d is %s", tc.reason, i, all[i].Name)
				}
			}
			if diff := cmp.Diff(tc.asked, api.asked); diff != "" {
				t.Errorf("%s: limits (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	broken := &pages{attachments: pageSize + 1, broken: errors.New("the continue token is too old")}
	if all, err := (&reads{live: broken}).allAttachments(t.Context()); !errors.Is(err, broken.broken) || all != nil {
		t.Errorf("half of the attachments were taken for all: %d, %v", len(all), err)
	}
}
