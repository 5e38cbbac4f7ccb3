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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/ovs"
)

// attachTimeout is how long an ADD waits for its attachments. Then the runtime
// is told to try again, and kubelet does, with a back-off.
const attachTimeout = 20 * time.Second

// pod returns the pod of a call, live where the cache does not know it yet.
func (a *Agent) pod(ctx context.Context, want cni.Pod) (*corev1.Pod, error) {
	key := client.ObjectKey{Namespace: want.Namespace, Name: want.Name}
	pod := &corev1.Pod{}
	err := a.client.Get(ctx, key, pod)
	if err == nil && string(pod.UID) == want.UID {
		return pod, nil
	}
	if err := a.live.Get(ctx, key, pod); err != nil {
		return nil, podError(key, err)
	}
	if string(pod.UID) != want.UID {
		return nil, types.NewError(types.ErrUnknownContainer, fmt.Sprintf(
			"pod %q has UID %s now; the sandbox is of UID %s, which is gone", key, pod.UID, want.UID), "")
	}
	return pod, nil
}

func podError(key client.ObjectKey, err error) error {
	if apierrors.IsNotFound(err) {
		return types.NewError(types.ErrUnknownContainer, fmt.Sprintf("pod %q does not exist", key), "")
	}
	return cni.TryAgain(fmt.Errorf("get pod %q: %w", key, err))
}

// want is one attachment that an ADD waits for.
type want struct {
	// key is the attachment's name.
	key     client.ObjectKey
	network apitypes.NamespacedName
	iface   string
}

// wants says which attachments the call is to wire: all that the pod's own
// annotations ask for, or, for the NetworkAttachmentDefinition of one network,
// the one whose interface is CNI_IFNAME.
func wants(call *cni.Call, pod *corev1.Pod) ([]want, error) {
	requests, err := attach.Parse(pod)
	if err != nil {
		return nil, cni.Invalid(err)
	}
	if call.Config.Network == nil {
		return wantAll(pod, requests.Own), nil
	}
	network := apitypes.NamespacedName(*call.Config.Network)
	for _, r := range requests.Multus {
		if r.Interface == call.IfName && r.Network == network {
			return wantAll(pod, []attach.Request{r}), nil
		}
	}
	return nil, cni.Invalid(fmt.Errorf(
		"the Multus annotation of pod %q has no entry for network %q with interface %s: only NetworkAttachmentDefinitions that l2sm keeps, named like their network, can be used",
		client.ObjectKeyFromObject(pod), network, call.IfName))
}

func wantAll(pod *corev1.Pod, requests []attach.Request) []want {
	var all []want
	for _, r := range requests {
		all = append(all, want{
			key:     client.ObjectKey{Namespace: pod.Namespace, Name: attach.Name(pod.Name, pod.UID, r.Interface)},
			network: r.Network,
			iface:   r.Interface,
		})
	}
	return all
}

// awaitWires returns the wires for what is wanted once all attachments are
// complete, and after attachTimeout an error that says which are not, and why.
func (a *Agent) awaitWires(ctx context.Context, s ovs.Sandbox, pod *corev1.Pod, wanted []want) ([]wire, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeouts.attach)
	defer cancel()
	for {
		changed := a.changed.Next()
		wires, err := a.wires(ctx, s, pod, wanted)
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
func (a *Agent) wires(ctx context.Context, s ovs.Sandbox, pod *corev1.Pod, wanted []want) ([]wire, error) {
	var wires []wire
	var missing []string
	for _, w := range wanted {
		attachment, network, err := a.attachment(ctx, w)
		if err != nil {
			return nil, err
		}
		if why := whyMissing(w, pod, attachment, network); why != "" {
			missing = append(missing, why)
			continue
		}
		wire, err := newWire(s, attachment, network.EffectiveMTU(a.underlayMTU))
		if err != nil {
			return nil, err
		}
		wires = append(wires, wire)
	}
	if len(missing) > 0 {
		return nil, &incompleteError{missing}
	}
	return wires, nil
}

// attachment returns what the caches hold of a want: nil for what they do not.
func (a *Agent) attachment(ctx context.Context, w want) (*v1alpha1.L2Attachment, *v1alpha1.L2Network, error) {
	attachment := &v1alpha1.L2Attachment{}
	err := a.client.Get(ctx, w.key, attachment)
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("get L2Attachment %q: %w", w.key, err)
	}
	network := &v1alpha1.L2Network{}
	err = a.client.Get(ctx, attachment.NetworkKey(), network)
	if apierrors.IsNotFound(err) {
		return attachment, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("get L2Network %q: %w", attachment.NetworkKey(), err)
	}
	return attachment, network, nil
}

// whyMissing says why an attachment can't be wired yet: empty when it can.
// Users may write attachments too, so its binding is compared with the pod's.
func whyMissing(w want, pod *corev1.Pod, a *v1alpha1.L2Attachment, network *v1alpha1.L2Network) string {
	switch {
	case a == nil:
		return fmt.Sprintf("network %q: L2Attachment %q is not written; is l2sm-controller running?", w.network, w.key)
	case !boundTo(a, pod) || a.Spec.Interface != w.iface:
		return fmt.Sprintf("network %q: L2Attachment %q belongs to pod %q with UID %q on node %q, interface %q", w.network, w.key,
			a.Spec.PodName, a.Spec.PodUID, a.Spec.NodeName, a.Spec.Interface)
	case !a.Complete():
		return fmt.Sprintf("network %q: %s", w.network, cmp.Or(refused(a),
			fmt.Sprintf("L2Attachment %q has no MAC address yet; is l2sm-controller running?", w.key)))
	case network == nil:
		return fmt.Sprintf("network %q: L2Network %q is not there", w.network, a.NetworkKey())
	default:
		return ""
	}
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
