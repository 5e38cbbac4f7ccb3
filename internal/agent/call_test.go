package agent

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/containernetworking/cni/pkg/types"

	"l2sm.io/l2sm/internal/ovs"
)

func TestCoded(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    error
		want   uint
	}{
		"Own":          {"a code is kept on the way up", fmt.Errorf("add: %w", types.NewError(types.ErrUnknownContainer, "gone", "")), types.ErrUnknownContainer},
		"NotConnected": {"OVS comes back", fmt.Errorf("add: %w", ovs.ErrNotConnected), types.ErrTryAgainLater},
		"NoBridge":     {"ovn-controller comes up", ovs.ErrNoBridge, types.ErrTryAgainLater},
		"Late":         {"what was slow may be quick later", errors.Join(errors.New("x"), context.DeadlineExceeded), types.ErrTryAgainLater},
		"Other":        {"the rest is ours to explain", errors.New("file exists"), types.ErrInternal},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := coded(tc.err); got.Code != tc.want || got.Msg == "" {
				t.Errorf("%s: coded(%v) = code %d %q, want code %d and words", tc.reason, tc.err, got.Code, got.Msg, tc.want)
			}
		})
	}
}
