package controllers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// A flood stops OVN from learning for a while, which is on record, and ends.
func TestLearning(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	stopped := v1alpha1.LearningStopped(ovn.MaxLearned, learningPause)
	since := func(ago time.Duration) *metav1.Condition {
		c := stopped
		c.LastTransitionTime = metav1.NewTime(now.Add(-ago))
		return &c
	}
	never := time.Time{}
	for name, tc := range map[string]struct {
		reason  string
		stands  *metav1.Condition
		flooded time.Time
		want    *metav1.Condition
		again   time.Duration
	}{
		"Never":    {"most pods are quiet", nil, never, nil, 0},
		"Flooded":  {"it is new", nil, now, &stopped, learningPause},
		"OnRecord": {"a restart finds it", since(time.Minute), never, since(time.Minute), learningPause - time.Minute},
		"Again":    {"the port is not learned from, so that is what was under way", since(time.Minute), now, since(time.Minute), learningPause - time.Minute},
		"Over":     {"it has had its time", since(learningPause), never, nil, 0},
		"OverOnce": {"and so has what memory has of it", since(learningPause), now.Add(-learningPause), nil, 0},
		"Anew":     {"a pod that goes on is stopped again", since(learningPause), now, &stopped, learningPause},
	} {
		t.Run(name, func(t *testing.T) {
			var stand []metav1.Condition
			if tc.stands != nil {
				stand = append(stand, *tc.stands)
			}
			got := learning(stand, tc.flooded, now)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if again := (settlement{learning: got}).again(now); again != tc.again {
				t.Errorf("%s: it is looked at again after %s, want %s", tc.reason, again, tc.again)
			}
		})
	}
}

// The attachment of a port that floods OVN is looked at, and what it learned is
// gone.
func TestFloodsAreFollowed(t *testing.T) {
	server := ovntest.NewSouthbound(t)
	server.Ctl("--id=@d", "create", "Datapath_Binding", "tunnel_key=7",
		"--", "create", "Port_Binding", "datapath=@d", "logical_port=l2sm/lab/x", "tunnel_key=1",
		"--", "create", "Port_Binding", "datapath=@d", "logical_port=theirs", "tunnel_key=2")
	southbound, err := ovn.DialSouthbound(t.Context(), ovn.Config{Endpoints: []string{server.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(southbound.Close)
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	t.Cleanup(q.ShutDown)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	seen := floods{}
	go seen.follow(ctx, southbound, q)

	args := []string{}
	for i := range 2 * (ovn.MaxLearned + 10) {
		args = append(args, "--", "create", "FDB", "dp_key=7", fmt.Sprintf("port_key=%d", 1+i%2), fmt.Sprintf(`mac="02:00:00:00:%02x:%02x"`, i/256, i%256))
	}
	server.Ctl(args[1:]...)
	item, _ := q.Get()
	if want := request(key("lab", "x")); item != want || seen.at(key("lab", "x")).IsZero() {
		t.Errorf("%v is looked at, want %v, and it is noted", item, want)
	}
	NewWithT(t).Eventually(func() string { return server.Ctl("--bare", "--columns=mac", "list", "FDB") }, "10s", "20ms").Should(BeEmpty())
	if q.Len() > 0 {
		t.Errorf("%d more are looked at: others' ports are none of our business", q.Len())
	}
}
