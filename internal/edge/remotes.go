package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/evpn"
)

// hostsInPart is how many hosts a part of what a peer announces has about, when the
// peer announces as many as it may: what a change of one rewrites.
const hostsInPart = 256

// remotesPace gathers what changes at the same time.
const remotesPace = 20 * time.Millisecond

// part is one L2Remote: some of what a peer announces on a network.
type part struct {
	vni    uint32
	peer   string
	number int
}

// partOf is the part that a MAC address is in, of so many.
func partOf(mac evpn.MAC, of int) int {
	h := fnv.New32a()
	h.Write(mac[:])
	return int(h.Sum32() % uint32(of))
}

// partsOf a peer that may announce so many hosts.
func partsOf(maxMACs int32) int { return max(1, int(maxMACs)/hostsInPart) }

// nameOf is the object's name of a part: the peer's name, which people look for, and what
// makes it the only one.
func nameOf(network types.UID, p part) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s", network, p.peer))
	return fmt.Sprintf("%s-%s-%d", p.peer, hex.EncodeToString(sum[:4]), p.number)
}

// remote is the namespace and name of the object that a part of the network has.
func (n *network) remote(p part) types.NamespacedName {
	return types.NamespacedName{Namespace: n.object.Namespace, Name: nameOf(n.object.UID, p)}
}

// remoteOf is the object that a part has, nil where it is empty.
func remoteOf(network *v1alpha1.L2Network, p part, hosts map[evpn.MAC][]netip.Addr) *v1alpha1.L2Remote {
	if len(hosts) == 0 {
		return nil
	}
	r := &v1alpha1.L2Remote{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "L2Remote"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: network.Namespace, Name: nameOf(network.UID, p),
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "L2Network", Name: network.Name, UID: network.UID}},
		},
		Network: network.Name, Peer: p.peer,
	}
	for mac, addresses := range hosts {
		h := v1alpha1.RemoteHost{MACAddress: mac.String()}
		for _, a := range addresses {
			h.Addresses = append(h.Addresses, a.String())
		}
		slices.Sort(h.Addresses)
		r.Hosts = append(r.Hosts, h)
	}
	slices.SortFunc(r.Hosts, func(a, b v1alpha1.RemoteHost) int { return strings.Compare(a.MACAddress, b.MACAddress) })
	return r
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2remotes,verbs=get;list;watch;create;patch;delete

// writeRemote brings one object in line with what is announced, where this edge carries
// the network: another one has written it otherwise.
func (e *Edge) writeRemote(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	want, mine := e.wantedRemote(key)
	if !mine {
		return 0, nil
	}
	have := e.cache.Remote(key)
	switch {
	case want == nil && have == nil:
		return 0, nil
	case want == nil:
		return 0, e.config.API.DeleteL2Remote(ctx, key)
	case have != nil && have.Network == want.Network && have.Peer == want.Peer && reflect.DeepEqual(have.Hosts, want.Hosts):
		return 0, nil
	default:
		return 0, e.config.API.ApplyL2Remote(ctx, want, manager)
	}
}
