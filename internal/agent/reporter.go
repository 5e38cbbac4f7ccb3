package agent

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/loop"
	"l2sm.io/l2sm/internal/ovs"
)

// reporter keeps the node's L2Node: it writes when something has changed, and at
// most once in reportPace.
type reporter struct {
	*Agent
	loop *loop.Loop[string]

	mu   sync.Mutex
	told nodeView // what others have told of the node
	// claimed says that the L2Node has had this machine's boot ID since this agent
	// started, begun that it has looked at what a predecessor left.
	claimed, begun bool
}

// reportPace gathers what changes at the same time, and bounds what a change that
// comes and goes costs.
const reportPace = time.Second

// nameTakenBy applies condition NameTaken apart from the rest, which the other
// machine's agent applies by the same name.
const nameTakenBy = name + "-name"

// +kubebuilder:rbac:groups="",resources=nodes,verbs=get
// +kubebuilder:rbac:groups=l2sm.io,resources=l2nodes,verbs=create;get;list;watch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2nodes/status,verbs=patch

func newReporter(a *Agent) *reporter {
	r := &reporter{Agent: a}
	r.told = nodeView{name: a.config.Node, bootID: a.config.bootID, kernel: kernelRelease(), agent: a.config.Version, underlayMTU: int(a.config.UnderlayMTU), nriOnly: a.config.AttachBy == v1alpha1.AttachNRI}
	if r.told.bootID == "" {
		r.told.bootID = bootID()
	}
	r.loop = loop.New(a.log.WithName("node"), func(ctx context.Context, _ string) (time.Duration, error) { return 0, r.report(ctx) })
	return r
}

// wake never blocks.
func (r *reporter) wake() { r.loop.Queue.AddAfter(theNode, reportPace) }

func (r *reporter) tell(f func(*nodeView)) {
	r.mu.Lock()
	f(&r.told)
	r.mu.Unlock()
	r.wake()
}

// run works until ctx ends. It needs no other part: what keeps pods from being
// attached is what it has to tell.
func (r *reporter) run(ctx context.Context) error {
	go r.node.RunSelf(ctx, r.wake)
	go r.followOVS(ctx)
	go r.followRefusals(ctx)
	r.loop.Run(ctx, 1)
	return nil
}

func (r *reporter) followOVS(ctx context.Context) {
	for {
		changed := r.ovs.Changed()
		r.wake()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// followRefusals tries again where the folder can't be watched.
func (r *reporter) followRefusals(ctx context.Context) {
	for ctx.Err() == nil {
		err := followRefusal(ctx, r.config.RefusalFile, func(text string) { r.tell(func(v *nodeView) { v.refusal = text }) })
		if err == nil {
			return
		}
		r.loop.Log.Info("Could not watch for ovn-node's refusal", "error", err.Error())
		timer := time.NewTimer(refusalRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// tunnels takes the addresses of the node's tunnels and the interfaces that hold
// them.
func (r *reporter) tunnels(ips []netip.Addr, holders []link.Holder) {
	var addresses []string
	for _, ip := range ips {
		addresses = append(addresses, ip.String())
	}
	r.tell(func(v *nodeView) { v.addresses, v.holders = addresses, holders })
}

// gather adds what Open vSwitch says to what others have told.
func (r *reporter) gather(ctx context.Context) (nodeView, error) {
	r.mu.Lock()
	v := r.told
	r.mu.Unlock()
	var err error
	v.facts, err = r.ovs.Facts(ctx)
	if errors.Is(err, ovs.ErrNotConnected) {
		v.unreachable = true
		return v, nil
	}
	return v, err
}

func (r *reporter) report(ctx context.Context) error {
	if !r.node.SelfKnown() {
		return nil // it is looked at when it is
	}
	is := r.node.Self()
	if is == nil {
		var err error
		if is, err = r.live.CreateL2Node(ctx, r.config.Node); err != nil {
			return err
		}
	}
	v, err := r.gather(ctx)
	if err != nil {
		return err
	}
	taken := meta.FindStatusCondition(is.Status.Conditions, v1alpha1.ConditionNameTaken)
	if !r.begun && taken != nil { // by a predecessor; who still sees another says so again
		if err := r.live.ApplyL2NodeStatus(ctx, is, v1alpha1.L2NodeStatus{}, nameTakenBy); err != nil {
			return err
		}
		taken = nil
	}
	r.begun = true
	r.claimed = r.claimed || is.Status.BootID == v.bootID
	if r.claimed && is.Status.BootID != "" && is.Status.BootID != v.bootID {
		return r.tellNameTaken(ctx, is, taken, v)
	}
	v.taken = taken
	want := nodeStatus(v, is.Status)
	if !settle(&want, is.Status, metav1.Now()) {
		return nil
	}
	return r.live.ApplyL2NodeStatus(ctx, is, want, name)
}

// tellNameTaken leaves the rest to the other machine's agent: two that overwrite
// each other would never stop.
func (r *reporter) tellNameTaken(ctx context.Context, is *v1alpha1.L2Node, stands *metav1.Condition, v nodeView) error {
	want := v1alpha1.NameTaken(v.name, v.bootID, is.Status.BootID)
	if stands != nil && stands.Message == want.Message {
		return nil
	}
	want.LastTransitionTime = metav1.Now()
	return r.live.ApplyL2NodeStatus(ctx, is, v1alpha1.L2NodeStatus{Conditions: []metav1.Condition{want}}, nameTakenBy)
}

// ownConditions are the types that the agent writes with the rest of the status.
var ownConditions = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionRefused, v1alpha1.ConditionOVSUnavailable, v1alpha1.ConditionTunnelError,
	v1alpha1.ConditionUnderlayMTU, v1alpha1.ConditionTunnelPortOpen, v1alpha1.ConditionNoCertificate,
	v1alpha1.ConditionNRIUnavailable, v1alpha1.ConditionOtherTunnelKey,
}

// settle dates the conditions that are wanted, and says whether anything differs
// from what stands. It is pure.
func settle(want *v1alpha1.L2NodeStatus, is v1alpha1.L2NodeStatus, now metav1.Time) bool {
	stands := slices.DeleteFunc(slices.Clone(is.Conditions), func(c metav1.Condition) bool { return !slices.Contains(ownConditions, c.Type) })
	for i, c := range want.Conditions {
		want.Conditions[i].LastTransitionTime = now
		if before := meta.FindStatusCondition(stands, c.Type); before != nil && before.Status == c.Status {
			want.Conditions[i].LastTransitionTime = before.LastTransitionTime
		}
	}
	byType := func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) }
	sorted := slices.Clone(want.Conditions)
	slices.SortFunc(sorted, byType)
	slices.SortFunc(stands, byType)
	is.Conditions = stands
	other := *want
	other.Conditions = sorted
	return !equality.Semantic.DeepEqual(other, is)
}
