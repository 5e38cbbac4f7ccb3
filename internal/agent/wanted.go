package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/multus"
)

// attachTimeout is how long an ADD waits for its attachments. Then the runtime
// is told to try again, and kubelet does, with a back-off.
const attachTimeout = 20 * time.Second

// pod returns the pod of a call, live where the cache does not know it yet.
func (a *Agent) pod(ctx context.Context, want cni.Pod) (*corev1.Pod, error) {
	key := apitypes.NamespacedName{Namespace: want.Namespace, Name: want.Name}
	if pod := a.node.Pod(key); pod != nil && sandboxUID(pod) == want.UID {
		return pod, nil
	}
	pod, err := a.live.Pod(ctx, key)
	if err != nil {
		return nil, cni.TryAgain(err)
	}
	if pod == nil {
		return nil, types.NewError(types.ErrUnknownContainer, fmt.Sprintf("pod %q does not exist", key), "")
	}
	if uid := sandboxUID(pod); uid != want.UID {
		return nil, types.NewError(types.ErrUnknownContainer, fmt.Sprintf(
			"pod %q has UID %s now; the sandbox is of UID %s, which is gone", key, uid, want.UID), "")
	}
	return pod, nil
}

// mainInterface is what runtimes call the interface of a pod's main network. No
// entry of ours may have that name.
const mainInterface = "eth0"

// want is one interface that an ADD waits for.
type want struct {
	request attach.Request
	// name of the attachment that the controller makes for the request, unless
	// a user's serves it.
	name string
	// attachment serves the request; nil where there is none yet.
	attachment *v1alpha1.L2Attachment
}

// grants says what the controller has to have granted.
type grants struct {
	// keyed says that ports need tunnel keys, which they do on zoned fabrics:
	// without one the port is nowhere.
	keyed bool
}

// wants says what the call is to wire. For l2sm-system/l2sm: what the pod's own
// annotations ask for, and extra, what users have attached to the pod besides.
// For the NetworkAttachmentDefinition of one network: the one interface
// CNI_IFNAME.
func (g grants) wants(call *cni.Call, pod *corev1.Pod, attachments []v1alpha1.L2Attachment) (wanted []want, extra []*v1alpha1.L2Attachment, err error) {
	if call.IfName == mainInterface {
		return nil, nil, cni.Invalid(errors.New(multus.NotMain))
	}
	requests, err := attach.Parse(pod)
	if err != nil {
		return nil, nil, cni.Invalid(err)
	}
	// As the controller matches them: what serves one does not serve another.
	all := slices.Concat(requests.Own, requests.Multus)
	serving := attach.Match(pod, all, attachments).Serving
	for i, r := range all {
		if asked(call, r, i < len(requests.Own)) {
			if r.Err != nil {
				return nil, nil, cni.Invalid(r.Err)
			}
			wanted = append(wanted, want{r, attach.Name(pod.Name, pod.UID, r.Interface), serving[i]})
		}
	}
	if call.Config.Network == nil {
		return wanted, g.extras(pod, attachments, serving), nil
	}
	if len(wanted) == 0 {
		return nil, nil, cni.Invalid(fmt.Errorf(
			"the Multus annotation of pod %q has no entry for network %q with interface %s: only NetworkAttachmentDefinitions that l2sm keeps, named like their network, can be used",
			keyOf(pod), apitypes.NamespacedName(*call.Config.Network), call.IfName))
	}
	return wanted, nil, nil
}

func asked(call *cni.Call, r attach.Request, own bool) bool {
	if call.Config.Network == nil {
		return own
	}
	return !own && r.Interface == call.IfName && r.Network == apitypes.NamespacedName(*call.Config.Network)
}

// extras are what users have attached to this very pod and no annotation asks
// for. Of what can't be plugged now the watch takes care when it can: a pod
// does not wait for what it did not ask for.
func (g grants) extras(pod *corev1.Pod, attachments []v1alpha1.L2Attachment, serving []*v1alpha1.L2Attachment) []*v1alpha1.L2Attachment {
	taken := map[string]bool{}
	served := map[string]bool{}
	for _, a := range serving {
		if a != nil {
			taken[a.Spec.Interface], served[a.Name] = true, true
		}
	}
	var all []*v1alpha1.L2Attachment
	for i := range attachments {
		a := &attachments[i]
		iface := a.Spec.Interface
		if served[a.Name] || taken[iface] || !attach.UserMade(a) || !g.pluggable(a, pod) || link.CheckName(iface) != nil {
			continue
		}
		taken[iface] = true
		all = append(all, a)
	}
	return all
}

// pluggable says whether nothing is missing of an attachment. Users may write
// the spec of attachments too, so the binding is compared with the pod's.
func (g grants) pluggable(a *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	return boundTo(a, pod) && g.granted(a) && a.DeletionTimestamp.IsZero() && !refusedPort(a)
}

// granted says whether the controller has granted the attachment what an
// interface needs. The MTU is in the status, so that only the controller writes
// it: a complete spec alone may be a user's.
func (g grants) granted(a *v1alpha1.L2Attachment) bool {
	return a.Complete() && a.Spec.Interface != "" && a.Status.MTU > 0 && (!g.keyed || a.Status.TunnelKey > 0)
}

// awaitWires returns the wires of a call once all that it wants is complete,
// and after attachTimeout an error that says what is not, and why.
func (a *Agent) awaitWires(ctx context.Context, call *cni.Call, pod *corev1.Pod) ([]wire, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeouts.attach)
	defer cancel()
	for {
		changed := a.changed.Next()
		wires, err := a.wires(call, pod)
		var incomplete *incompleteError
		if !errors.As(err, &incomplete) {
			return wires, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, cni.TryAgain(err)
		}
	}
}

// wires gathers from the caches. It returns an incompleteError while anything
// is missing.
func (a *Agent) wires(call *cni.Call, pod *corev1.Pod) ([]wire, error) {
	wanted, extra, err := a.grants.wants(call, pod, a.attachments(pod))
	if err != nil {
		return nil, err
	}
	var wires []wire
	var missing []string
	for _, w := range wanted {
		if why := a.grants.whyMissing(w, pod); why != "" {
			missing = append(missing, why)
			continue
		}
		wire, err := newWire(sandboxOf(call, pod), w.attachment)
		if err != nil {
			return nil, cni.Invalid(err)
		}
		wires = append(wires, wire)
	}
	if len(missing) > 0 {
		return nil, &incompleteError{missing}
	}
	for _, attachment := range extra {
		wire, err := newWire(sandboxOf(call, pod), attachment)
		if err != nil {
			return nil, err
		}
		wire.extra = true
		wires = append(wires, wire)
	}
	return wires, nil
}

// attachments are those of the pod's name on the node, sorted.
func (a *Agent) attachments(pod *corev1.Pod) []v1alpha1.L2Attachment {
	var all []v1alpha1.L2Attachment
	for _, x := range a.node.AttachmentsOf(keyOf(pod)) {
		all = append(all, *x)
	}
	return all
}

// whyMissing says why an interface can't be wired yet: empty when it can.
func (g grants) whyMissing(w want, pod *corev1.Pod) string {
	a := w.attachment
	switch {
	case a == nil:
		return fmt.Sprintf("network %q: L2Attachment %q is not written; is l2sm-controller running?", w.request.Network, w.name)
	case !boundTo(a, pod):
		return fmt.Sprintf("network %q: L2Attachment %q belongs to pod %q with UID %q on node %q", w.request.Network, a.Name,
			a.Spec.PodName, a.Spec.PodUID, a.Spec.NodeName)
	case refusedPort(a):
		return fmt.Sprintf("network %q: %s", w.request.Network, refused(a))
	case !g.granted(a):
		return fmt.Sprintf("network %q: %s", w.request.Network, cmp.Or(refused(a), ungranted(a)))
	case w.request.Fixed && a.Spec.Interface != w.request.Interface:
		return fmt.Sprintf("network %q: L2Attachment %q has interface %s, and the pod asks for %s", w.request.Network, a.Name, a.Spec.Interface, w.request.Interface)
	default:
		return ""
	}
}

// ungranted says what the controller has not written yet.
func ungranted(a *v1alpha1.L2Attachment) string {
	what := "tunnel key"
	if a.Status.MTU == 0 {
		what = "MTU"
	}
	if a.Spec.Interface == "" {
		what = "interface"
	}
	if !a.Complete() {
		what = "MAC address"
	}
	return fmt.Sprintf("L2Attachment %q has no %s yet; is l2sm-controller running?", a.Name, what)
}

// boundTo says whether the attachment belongs to this very pod, in this life
// and on this node.
func boundTo(a *v1alpha1.L2Attachment, pod *corev1.Pod) bool {
	return a.Namespace == pod.Namespace && a.Spec.PodName == pod.Name && a.Spec.PodUID == pod.UID &&
		a.Spec.NodeName == pod.Spec.NodeName
}

// refused is why the controller refuses an attachment; empty where it does
// not.
func refused(a *v1alpha1.L2Attachment) string {
	accepted := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionAccepted)
	if accepted != nil && accepted.Status == metav1.ConditionFalse {
		return accepted.Message
	}
	return ""
}

// incompleteError says what an ADD waits for.
type incompleteError struct{ missing []string }

func (e *incompleteError) Error() string {
	return "wait for attachments: " + strings.Join(slices.Compact(e.missing), "; ")
}
