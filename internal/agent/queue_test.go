package agent

import (
	"errors"
	"testing"
	"time"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ovs"
)

// An agent that starts again complains of the same in the same event.
func TestNodeEventHasOneName(t *testing.T) {
	now := time.Now()
	about := v1alpha1.UnderlayMTUEvent("eth1", 1400, 1500)
	first, again := nodeEvent("node-a", about, now), nodeEvent("node-a", about, now.Add(time.Hour))
	if first.Name != again.Name {
		t.Errorf("the same complaint has the names %q and %q", first.Name, again.Name)
	}
	for _, other := range []string{nodeEvent("node-b", about, now).Name, nodeEvent("node-a", v1alpha1.UnderlayMTUEvent("eth1", 1300, 1500), now).Name} {
		if other == first.Name {
			t.Errorf("another complaint has the name %q, too", other)
		}
	}
}

func TestRetried(t *testing.T) {
	passing := errors.New("no space left on device")
	_, badName := newWire(sandbox("c1", "net1"), attachment(func(a *v1alpha1.L2Attachment) { a.Spec.Interface = "all" }))
	held := plan{taken: []ovs.Port{{Interface: "net1"}}}.conflict()
	cases := map[string]struct {
		reason    string
		err, want error
	}{
		"Passing": {"it may pass by itself", passing, passing},
		"Taken":   {"the pod has to free the name", errTaken, nil},
		"Held":    {"the holder's port wakes the attachment", held, nil},
		"BadName": {"no kernel will have it", badName, nil},
		"None":    {"all went well", nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if (tc.err == nil) != (name == "None") {
				t.Fatalf("%s: the error is %v", tc.reason, tc.err)
			}
			if got := retried(tc.err); !errors.Is(got, tc.want) || (got == nil) != (tc.want == nil) {
				t.Errorf("%s: retried(%v) = %v, want %v", tc.reason, tc.err, got, tc.want)
			}
		})
	}
}
