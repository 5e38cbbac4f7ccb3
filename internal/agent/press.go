package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/ovs"
)

// moveTimeout is how long ovn-controller has for the flows of a port that was
// moved, which takes it some 30 ms, before it is asked again.
const moveTimeout = 5 * time.Second

// silent says whether ovn-controller has told nothing since the port was moved:
// what it installed last is what the agent acted on last.
func silent(v view) bool {
	port := v.port()
	return port != nil && moving(v.attachment, port.Noted) &&
		port.State.Installed && port.State.InstalledAt == port.Noted.InstalledAt
}

// press has ovn-controller install the flows of a moved port again where it was
// silent for too long, and returns when to look again. A port that is moved
// between its first flows and their being known in the southbound database is
// one whose flows are installed already (ovn-controller's if-status.c, MARK_UP),
// and gets no new ovn-installed-ts: in the soak, one move of 600. A row made
// again under the port's name is another interface to ovn-controller and the same
// one to ovs-vswitchd, which keeps device and OpenFlow port.
func (w *watcher) press(ctx context.Context, key types.NamespacedName, v view) (time.Duration, error) {
	port := v.port()
	if port == nil {
		return 0, nil
	}
	if !silent(v) {
		w.moves.Delete(port.Name)
		return 0, nil
	}
	since, _ := w.moves.LoadOrStore(port.Name, time.Now())
	if left := moveTimeout - time.Since(since.(time.Time)); left > 0 {
		return left, nil
	}
	w.moves.Delete(port.Name)

	unlock, err := w.pods.acquire(ctx, w.lifeIn(port.Sandbox))
	if err != nil {
		return 0, fmt.Errorf("wait for a call for the pod: %w", err)
	}
	defer unlock()
	if v, err = w.gather(ctx, key); err != nil || v.attachment == nil || !silent(v) {
		return 0, err
	}
	port = v.port()
	logr.FromContextOrDiscard(ctx).Info("ovn-controller tells nothing of a move, asking again", "port", port.Name, "interface", port.Interface,
		"Pod", port.Sandbox.PodNamespace+"/"+port.Sandbox.PodName, "to", networkOf(v.attachment).String())
	return 0, w.ovs.Change(ctx, []ovs.Port{*port}, []string{port.Name})
}
