package stretch_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/stretch"
)

var lab = types.NamespacedName{Namespace: "lab", Name: "net"}

func network(id int32, peers ...string) *v1alpha1.L2Network {
	n := &v1alpha1.L2Network{Spec: v1alpha1.L2NetworkSpec{Stretch: &v1alpha1.Stretch{ID: id, Peers: peers}}}
	n.Namespace, n.Name = lab.Namespace, lab.Name
	return n
}

// peer allows ids 5000-5999 to namespaces with label wan: "yes".
func peer(name string, change ...func(*v1alpha1.L2Peer)) *v1alpha1.L2Peer {
	p := &v1alpha1.L2Peer{}
	p.Name, p.Spec.VNIs = name, []v1alpha1.VNIRange{{First: 1, Last: 2}, {First: 5000, Last: 5999}}
	p.Spec.Namespaces = metav1.LabelSelector{MatchLabels: map[string]string{"wan": "yes"}}
	p.Status.Conditions = []metav1.Condition{v1alpha1.PeerReady(1, 1)}
	for _, c := range change {
		c(p)
	}
	return p
}

func peers(all ...*v1alpha1.L2Peer) map[string]*v1alpha1.L2Peer {
	byName := map[string]*v1alpha1.L2Peer{}
	for _, p := range all {
		byName[p.Name] = p
	}
	return byName
}

func announces(n v1alpha1.PeerNetwork) func(*v1alpha1.L2Peer) {
	n.Namespace, n.Name = lab.Namespace, lab.Name
	return func(p *v1alpha1.L2Peer) { p.Status.Networks = append(p.Status.Networks, n) }
}

func gone(p *v1alpha1.L2Peer) {
	now := metav1.Now()
	p.DeletionTimestamp = &now
}

func silent(p *v1alpha1.L2Peer) { p.Status.Conditions = nil }

func away(p *v1alpha1.L2Peer) {
	p.Status.Conditions = []metav1.Condition{v1alpha1.PeerNoSession("192.0.2.1 refuses")}
}

func TestDecide(t *testing.T) {
	carried := stretch.Edge{Active: "node-a", Underlay: 1500}
	wan, other := labels.Set{"wan": "yes"}, labels.Set{}
	cases := map[string]struct {
		reason    string
		network   *v1alpha1.L2Network
		namespace labels.Set
		peers     map[string]*v1alpha1.L2Peer
		edge      stretch.Edge
		fabric    v1alpha1.Fabric
		mtu       int32
		want      []string // the peers in force
		why       string   // the reason of what is missing, and a part of its message
		says      string
	}{
		"Allowed":   {"both agree", network(5001, "east"), wan, peers(peer("east")), carried, "", 1442, []string{"east"}, "", ""},
		"Zones":     {"it is no matter who writes the databases", network(5001, "east"), wan, peers(peer("east")), carried, v1alpha1.FabricZones, 1442, []string{"east"}, "", ""},
		"Sorted":    {"in the order of names", network(5001, "west", "east"), wan, peers(peer("west"), peer("east")), carried, "", 1442, []string{"east", "west"}, "", ""},
		"First":     {"ends are included", network(5000, "east"), wan, peers(peer("east")), carried, "", 1442, []string{"east"}, "", ""},
		"Last":      {"ends are included", network(5999, "east"), wan, peers(peer("east")), carried, "", 1442, []string{"east"}, "", ""},
		"ID":        {"the administrator says which ids", network(6000, "east"), wan, peers(peer("east")), carried, "", 1442, nil, "NotAllowed", "1-2, 5000-5999"},
		"Namespace": {"and which namespaces", network(5001, "east"), other, peers(peer("east")), carried, "", 1442, nil, "NotAllowed", `namespace "lab"`},
		"Selector": {"what can't be read selects nothing", network(5001, "east"), wan, peers(peer("east", func(p *v1alpha1.L2Peer) {
			p.Spec.Namespaces.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}
		})), carried, "", 1442, nil, "NotAllowed", "can't be read"},
		"NoPeer":       {"nobody has made it", network(5001, "east"), wan, nil, carried, "", 1442, nil, "AwaitsPeer", `no L2Peer "east"`},
		"PeerGoes":     {"it allows nothing any more", network(5001, "east"), wan, peers(peer("east", gone)), carried, "", 1442, nil, "AwaitsPeer", `no L2Peer "east"`},
		"OnePeer":      {"it goes on behind one of two", network(5001, "east", "west"), wan, peers(peer("east")), carried, "", 1442, []string{"east"}, "AwaitsPeer", `no L2Peer "west"`},
		"OneRefuses":   {"a refusal comes first", network(5001, "east", "north", "west"), wan, peers(peer("west"), peer("north", func(p *v1alpha1.L2Peer) { p.Spec.VNIs = nil })), carried, "", 1442, []string{"west"}, "NotAllowed", `"north" does not allow id 5001`},
		"NoEdge":       {"nothing carries it", network(5001, "east"), wan, peers(peer("east")), stretch.Edge{Why: "no node is labelled"}, "", 1442, nil, "NoEdge", "no node is labelled"},
		"MTU":          {"larger packets would vanish", network(5001, "east"), wan, peers(peer("east")), carried, "", 1451, nil, "MTUTooLarge", "at most 1450"},
		"MTUFits":      {"to the byte", network(5001, "east"), wan, peers(peer("east")), carried, "", 1450, []string{"east"}, "", ""},
		"WireGuard":    {"it takes room, too", network(5001, "east"), wan, peers(peer("east")), stretch.Edge{Active: "a", Underlay: 1500, Encryption: v1alpha1.EncryptionWireGuard}, "", 1371, nil, "MTUTooLarge", "at most 1370"},
		"OVNKuber":     {"nobody has tried it", network(5001, "east"), wan, peers(peer("east")), carried, v1alpha1.FabricOVNKubernetes, 1442, nil, "FabricNotSupported", "OVNKubernetes"},
		"NotAllowedIt": {"who may not learns nothing of edges", network(1, "east"), other, peers(peer("east")), stretch.Edge{}, "", 9000, nil, "NotAllowed", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := stretch.Decide(stretch.Facts{Network: tc.network, Namespace: tc.namespace, Peers: tc.peers, Edge: tc.edge, Fabric: tc.fabric, MTU: tc.mtu})
			want := stretch.Decision{Peers: tc.want, Lacks: got.Lacks}
			if tc.want != nil {
				want.ID, want.Chassis, want.MTU = tc.network.Spec.Stretch.ID, tc.edge.Active, tc.mtu
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			reason, message := "", ""
			if got.Lacks != nil {
				reason, message = got.Lacks.Reason, got.Lacks.Message
			}
			if reason != tc.why || !strings.Contains(message, tc.says) {
				t.Errorf("%s: want %q that says %q, got %q: %s", tc.reason, tc.why, tc.says, reason, message)
			}
		})
	}
}

// Consent is of people: that nothing carries the network does not take it back.
func TestAgreed(t *testing.T) {
	on := stretch.Edge{Wanted: true, Active: "node-a", Underlay: 1500}
	idle, narrow := stretch.Edge{Wanted: true, Why: "no node"}, stretch.Edge{Wanted: true, Active: "node-a", Underlay: 1400}
	east := peers(peer("east"))
	cases := map[string]struct {
		reason  string
		network *v1alpha1.L2Network
		peers   map[string]*v1alpha1.L2Peer
		edge    stretch.Edge
		fabric  v1alpha1.Fabric
		want    bool
	}{
		"Carried":   {"both want it", network(5001, "west", "east"), east, on, "", true},
		"NoNode":    {"nothing carries it for now", network(5001, "east"), east, idle, "", true},
		"MTU":       {"it does not fit for now", network(5001, "east"), east, narrow, "", true},
		"NoEdge":    {"the administrator wants no edge", network(5001, "east"), east, stretch.Edge{}, "", false},
		"NotNamed":  {"the owner does not want this one", network(5001, "west"), peers(peer("east"), peer("west")), on, "", false},
		"NoPeer":    {"the administrator has taken it away", network(5001, "east"), nil, on, "", false},
		"PeerGoes":  {"or is about to", network(5001, "east"), peers(peer("east", gone)), on, "", false},
		"Refused":   {"the administrator allows other ids", network(6000, "east"), east, on, "", false},
		"OVNKubern": {"no edge can be in it", network(5001, "east"), east, on, v1alpha1.FabricOVNKubernetes, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := stretch.Facts{Network: tc.network, Namespace: labels.Set{"wan": "yes"}, Peers: tc.peers, Edge: tc.edge, Fabric: tc.fabric, MTU: 1442}
			if got := stretch.Agreed(f, "east"); got != tc.want {
				t.Errorf("%s: agreed is %v", tc.reason, got)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	east := stretch.Decision{ID: 5001, Chassis: "node-a", Peers: []string{"east"}}
	wide := stretch.Decision{ID: 5001, Chassis: "node-a", Peers: []string{"east"}, MTU: 1442}
	both := stretch.Decision{ID: 5001, Chassis: "node-a", Peers: []string{"east", "west"}}
	refused := v1alpha1.NetworkNotStretched(v1alpha1.ReasonNotAllowed, "west does not")
	half := east
	half.Lacks = &refused
	joined := announces(v1alpha1.PeerNetwork{ID: 5001, MACs: 3})
	cases := map[string]struct {
		reason   string
		decision stretch.Decision
		peers    map[string]*v1alpha1.L2Peer
		want     []v1alpha1.StretchPeer
		status   metav1.ConditionStatus
		why      string
		says     string
	}{
		"Joined":    {"both sides announce it", east, peers(peer("east", joined)), []v1alpha1.StretchPeer{{Name: "east", Joined: true, MACs: 3}}, "True", "Stretched", "5001 goes on behind east"},
		"Silent":    {"the other side does not", east, peers(peer("east")), []v1alpha1.StretchPeer{{Name: "east"}}, "False", "AwaitsPeer", "does not announce id 5001"},
		"NoSession": {"the other side is not there", east, peers(peer("east", away)), []v1alpha1.StretchPeer{{Name: "east"}}, "False", "AwaitsPeer", "192.0.2.1 refuses"},
		"NoReport":  {"our side is not there", east, peers(peer("east", silent)), []v1alpha1.StretchPeer{{Name: "east"}}, "False", "AwaitsPeer", "has not reported"},
		"Another": {"of another network, by the same id once", east, peers(peer("east", func(p *v1alpha1.L2Peer) {
			p.Status.Networks = []v1alpha1.PeerNetwork{{ID: 5001, Namespace: "lab", Name: "old"}}
		})), []v1alpha1.StretchPeer{{Name: "east"}}, "False", "AwaitsPeer", "does not announce"},
		"OneOfTwo": {"and which one is missing", both, peers(peer("east", joined), peer("west")), []v1alpha1.StretchPeer{{Name: "east", Joined: true, MACs: 3}, {Name: "west"}}, "False", "AwaitsPeer", `"west"`},
		"Refused":  {"a peer's refusal stays beside what is awaited", half, peers(peer("east")), []v1alpha1.StretchPeer{{Name: "east"}}, "False", "NotAllowed", "west does not; L2Peer \"east\""},
		"Conflict": {"it goes on, but for one address", east, peers(peer("east", announces(v1alpha1.PeerNetwork{ID: 5001, Conflict: "10.0.0.1", Refused: 2}))), []v1alpha1.StretchPeer{{Name: "east", Joined: true}}, "True", "AddressConflict", "10.0.0.1"},
		"MTUSame":  {"both sides say it", wide, peers(peer("east", announces(v1alpha1.PeerNetwork{ID: 5001, MTU: 1442}))), []v1alpha1.StretchPeer{{Name: "east", Joined: true}}, "True", "Stretched", ""},
		"MTULess":  {"what is sent here vanishes there", wide, peers(peer("east", announces(v1alpha1.PeerNetwork{ID: 5001, MTU: 1400, Conflict: "10.0.0.1"}))), []v1alpha1.StretchPeer{{Name: "east", Joined: true}}, "True", "MTUDiffers", "more than 1400 bytes"},
		"MTUMore":  {"and the other way round", wide, peers(peer("east", announces(v1alpha1.PeerNetwork{ID: 5001, MTU: 9000}))), []v1alpha1.StretchPeer{{Name: "east", Joined: true}}, "True", "MTUDiffers", "more than 1442 bytes"},
		"TooMany":  {"it goes on, but for some addresses", east, peers(peer("east", announces(v1alpha1.PeerNetwork{ID: 5001, MACs: 7, Refused: 2}))), []v1alpha1.StretchPeer{{Name: "east", Joined: true, MACs: 7}}, "True", "TooManyMACs", "flooded: 2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, said := tc.decision.Status(lab, tc.peers)
			want := &v1alpha1.StretchStatus{ID: 5001, Chassis: "node-a", Peers: tc.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if said.Status != tc.status || said.Reason != tc.why || !strings.Contains(said.Message, tc.says) {
				t.Errorf("%s: got %s %s: %s", tc.reason, said.Status, said.Reason, said.Message)
			}
		})
	}
	if got, said := (stretch.Decision{Lacks: &refused}).Status(lab, nil); got != nil || said != refused {
		t.Errorf("it goes on nowhere: got %v, %v", got, said)
	}
}

// A change of one network's line, of many, concerns that network alone.
func TestChanged(t *testing.T) {
	lines := func(change func([]v1alpha1.PeerNetwork) []v1alpha1.PeerNetwork) *v1alpha1.L2Peer {
		all := []v1alpha1.PeerNetwork{{ID: 1, Namespace: "a", Name: "x"}, {ID: 2, Namespace: "a", Name: "y", MACs: 5}, {ID: 3, Namespace: "b", Name: "x"}}
		return &v1alpha1.L2Peer{Status: v1alpha1.L2PeerStatus{Networks: change(all)}}
	}
	type all = []v1alpha1.PeerNetwork
	cases := map[string]struct {
		reason string
		change func(all) all
		want   string
	}{
		"Nothing":   {"the same again", func(a all) all { return a }, ""},
		"Count":     {"one has more", func(a all) all { a[1].MACs = 6; return a }, "a/y"},
		"Conflict":  {"one has a conflict", func(a all) all { a[2].Conflict = "10.0.0.1"; return a }, "b/x"},
		"Gone":      {"one is announced no longer", func(a all) all { return a[1:] }, "a/x"},
		"Comes":     {"one joins", func(a all) all { return append(a, v1alpha1.PeerNetwork{ID: 4, Namespace: "c", Name: "z"}) }, "c/z"},
		"OtherHand": {"an id is another network's now: both have news", func(a all) all { a[0].Name = "new"; return a }, "a/new a/x"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, key := range stretch.Changed(lines(func(a all) all { return a }), lines(tc.change)) {
				got = append(got, key.String())
			}
			if joined := strings.Join(got, " "); joined != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, joined, tc.want)
			}
		})
	}
}
