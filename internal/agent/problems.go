package agent

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

// nodeView is all that is known of the node itself.
type nodeView struct {
	name, bootID, kernel, agent string
	// refusal is what ovn-node's checks have written; empty where they passed.
	refusal string
	// unreachable says that Open vSwitch's database does not answer, and there are
	// no facts.
	unreachable bool
	facts       ovs.Facts
	addresses   []string
	// holders have the tunnels' addresses; underlayMTU is what they must carry, in
	// bytes.
	holders     []link.Holder
	underlayMTU int
	// open is why the tunnels' port can't be kept shut.
	open error
	// uncertified is why there is no new certificate.
	uncertified error
	// misplaced is which networks have another tunnel key than elsewhere.
	misplaced error
	// untold is why the container runtime does not tell of pods before they start,
	// nriOnly whether there is no other way.
	untold  error
	nriOnly bool
	// taken is what another agent says of the node's name.
	taken *metav1.Condition
}

// severe are the types of problems that keep the node's pods from being attached.
var severe = []string{v1alpha1.ConditionRefused, v1alpha1.ConditionNameTaken, v1alpha1.ConditionOVSUnavailable, v1alpha1.ConditionTunnelError}

// nodeStatus is what the agent says of its node. It is pure. Where Open vSwitch is
// away, what it said last still holds.
func nodeStatus(v nodeView, last v1alpha1.L2NodeStatus) v1alpha1.L2NodeStatus {
	problems := problemsOf(v)
	status := v1alpha1.L2NodeStatus{
		Conditions: append([]metav1.Condition{readyNode(problems, v.taken)}, problems...),
		Chassis:    v.facts.Chassis, Datapath: v.facts.Datapath, TunnelAddresses: v.addresses,
		BootID:   v.bootID,
		Versions: v1alpha1.L2NodeVersions{OVS: version(v.facts.OVSVersion), OVN: version(v.facts.OVNVersion), Kernel: version(v.kernel), Agent: version(v.agent)},
	}
	for _, h := range v.holders {
		if status.MTU == 0 || int32(h.MTU) < status.MTU {
			status.MTU = int32(h.MTU)
		}
	}
	if v.unreachable {
		status.Chassis, status.Datapath, status.TunnelAddresses, status.MTU = last.Chassis, last.Datapath, last.TunnelAddresses, last.MTU
		status.Versions.OVS, status.Versions.OVN = last.Versions.OVS, last.Versions.OVN
	}
	return status
}

// version is as long as the API takes it.
func version(text string) string {
	const most = 128
	return strings.ToValidUTF8(text[:min(most, len(text))], "")
}

// problemsOf are the worst first.
func problemsOf(v nodeView) []metav1.Condition {
	var all []metav1.Condition
	if v.refusal != "" {
		all = append(all, v1alpha1.NodeRefused(parseRefusal(v.refusal)))
	}
	switch {
	case v.unreachable:
		all = append(all, v1alpha1.OVSUnreachable())
	case v.facts.Datapath == "":
		all = append(all, v1alpha1.NoIntegrationBridge(ovs.IntegrationBridge))
	}
	if v.facts.Broken > 0 {
		all = append(all, v1alpha1.TunnelErrors(v.facts.BrokenTunnels, v.facts.Broken))
	}
	if v.uncertified != nil {
		all = append(all, v1alpha1.NoCertificate(v.uncertified))
	}
	if v.untold != nil && v.nriOnly {
		all = append(all, v1alpha1.NRIUnavailable(v.untold))
	}
	if v.misplaced != nil {
		all = append(all, v1alpha1.OtherTunnelKey(v.misplaced))
	}
	if v.open != nil {
		all = append(all, v1alpha1.TunnelPortOpen(v.open))
	}
	for _, h := range v.holders {
		if h.MTU < v.underlayMTU {
			all = append(all, v1alpha1.UnderlayMTUTooSmall(h.Name, h.MTU, v.underlayMTU))
			break // one condition of a type
		}
	}
	return all
}

func readyNode(problems []metav1.Condition, taken *metav1.Condition) metav1.Condition {
	if taken != nil {
		return v1alpha1.NodeNotReady(*taken)
	}
	for _, p := range problems {
		if slices.Contains(severe, p.Type) {
			return v1alpha1.NodeNotReady(p)
		}
	}
	return v1alpha1.NodeReady(problems)
}

var reasonForm = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,63}$`)

// parseRefusal reads one line, "Reason message". Without a reason all of it is the
// message.
func parseRefusal(text string) (reason, message string) {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.ToValidUTF8(line, "?")
	first, rest, _ := strings.Cut(line, " ")
	if !reasonForm.MatchString(first) || rest == "" {
		return "", line
	}
	return first, rest
}

// bootIDFile is of the machine's kernel, also in a container (random(4)).
const bootIDFile = "/proc/sys/kernel/random/boot_id"

func bootID() string {
	text, err := os.ReadFile(bootIDFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
