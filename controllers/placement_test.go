package controllers

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/ipam"
	"l2sm.io/l2sm/internal/tunnelkey"
)

func none(...types.NamespacedName) {}

// placementOf is a placement over an API that has the networks and the pod lab/x,
// and a ledger that has them open.
func placementOf(networks ...*v1alpha1.L2Network) *placement {
	api := &shelf{namespaces: map[string]metav1.ObjectMeta{"lab": {}, "guests": {}}}
	p := &placement{
		reads:  reads{cached: api, live: api},
		ledger: admission.NewLedger(admission.Cluster{MaxMTU: 1442}, admission.Wake{Attachments: none, Networks: none, Members: none}),
		loaded: &loading{done: true},
		ranges: newClusterRanges(nil, nil),
		maxMTU: 1442,
	}
	p.keys = newTunnelKeys(v1alpha1.FabricCentral, tunnelkey.Range{First: 1, Last: 100}, keyWake{networks: none, attachments: none})
	p.stretches = newStretches(p.reads, p.keys, Config{MaxMTU: p.maxMTU}, &wakeups{})
	for _, n := range networks {
		api.networks = append(api.networks, *n)
		p.keys.network(n)
		p.ledger.Judge(n)
		p.ledger.Open(n.Key())
	}
	return p
}

var podX = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "x", UID: "uid"}, Spec: corev1.PodSpec{NodeName: "node-a"}}

// TestPlaceFactsRequest is what an attachment may ask, or why nothing.
func TestPlaceFactsRequest(t *testing.T) {
	theMAC := ipam.MAC{2, 0, 0, 0, 0, 1}
	forged := admission.Refuse(v1alpha1.BindingMismatch(portOf("x")))
	asks := func(r ipam.Request, err error) func() (ipam.Request, error) {
		return func() (ipam.Request, error) { return r, err }
	}
	here := candidate{network: networkOf("a")}
	cases := map[string]struct {
		reason string
		facts  placeFacts
		want   ipam.Request
		refuse string
		fails  error
	}{
		"Own":      {"what its spec records", placeFacts{names: here}, ipam.Request{MAC: theMAC}, "", nil},
		"Entry":    {"what its entry asks", placeFacts{names: here, asked: asks(ipam.Request{}, nil)}, ipam.Request{}, "", nil},
		"Gone":     {"its entry is gone", placeFacts{names: here, asked: asks(ipam.Request{}, admission.Refuse(v1alpha1.EntryGone("x")))}, ipam.Request{}, v1alpha1.ReasonInvalid, nil},
		"Unknown":  {"the cache does not answer", placeFacts{names: here, asked: asks(ipam.Request{}, errBroken)}, ipam.Request{}, "", errBroken},
		"NotFound": {"no network has the name", placeFacts{asked: asks(ipam.Request{}, errBroken)}, ipam.Request{}, v1alpha1.ReasonNetworkNotFound, nil},
		"Forged":   {"a false binding is said first: it is not for the network to mend", placeFacts{binding: forged}, ipam.Request{}, v1alpha1.ReasonForged, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.facts.attachment = portOf("x")
			got, err := tc.facts.request()
			if tc.fails != nil {
				if !errors.Is(err, tc.fails) {
					t.Errorf("%s: got %v", tc.reason, err)
				}
				return
			}
			expectReason(t, tc.reason, tc.refuse, err)
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b ipam.MAC) bool { return a == b })); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
	bad := portOf("x")
	bad.Spec.MACAddress = "01:00:5e:00:00:01"
	_, err := placeFacts{attachment: bad, names: here}.request()
	expectReason(t, "a MAC address that is no station's", v1alpha1.ReasonInvalid, err)
}

// TestTakePlace is where an attachment is, and on which networks it has a lease.
// It is lab/x, bound, and its port is on network a unless a case says otherwise.
func TestTakePlace(t *testing.T) {
	link := func(name string) *v1alpha1.L2Network {
		n := networkOf(name)
		n.Spec.Type = v1alpha1.VLink
		return n
	}
	fill := func(t *testing.T, p *placement, n *v1alpha1.L2Network) {
		t.Helper()
		for _, name := range []string{"one", "two"} {
			other := portOf(name)
			other.Spec.MACAddress = map[string]string{"one": "02:00:00:00:01:01", "two": "02:00:00:00:01:02"}[name]
			if _, err := p.ledger.Take(admission.Ask{Network: n, Attachment: other}); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := func(name string) func(*v1alpha1.L2Attachment) {
		return func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = name }
	}
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Attachment)
		pod    *corev1.Pod
		full   string   // a vlink that is full
		on     string   // the network that it has its place on
		refuse string   // why its spec is not fulfilled
		leases []string // networks that it has a lease on
	}{
		"Stays":    {"where it is and is to be", names("a"), podX, "", "a", "", []string{"a"}},
		"Moves":    {"it has its lease on both sides until its port is on the new one", names("b"), podX, "", "b", "", []string{"a", "b"}},
		"Refused":  {"the new one is full: it stays, and holds nothing there", names("link"), podX, "link", "a", v1alpha1.ReasonLinkFull, []string{"a"}},
		"NotFound": {"the new one does not exist: it stays", names("none"), podX, "", "a", v1alpha1.ReasonNetworkNotFound, []string{"a"}},
		"Override": {"a change that is refused leaves it where it is", func(a *v1alpha1.L2Attachment) {
			a.Spec.Network.Name = "a"
			a.Spec.PortSecurity = v1alpha1.PortSecurityDisabled
		}, podX, "", "a", v1alpha1.ReasonNotAllowed, []string{"a"}},
		"PodGone":        {"no pod, no port, wherever it was", names("b"), nil, "", "", v1alpha1.ReasonForged, nil},
		"BothGone":       {"neither network exists", func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = "none"; a.Status.Network.Name = "nor this" }, podX, "", "", v1alpha1.ReasonNetworkNotFound, nil},
		"Unbound":        {"one that waits for its pod has one place, and leaves the other at once", func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = "b"; a.Spec.PodUID, a.Spec.NodeName = "", "" }, nil, "", "b", "", []string{"b"}},
		"UnboundRefused": {"and none where it is refused", func(a *v1alpha1.L2Attachment) { a.Spec.Network.Name = "link"; a.Spec.PodUID, a.Spec.NodeName = "", "" }, nil, "link", "", v1alpha1.ReasonLinkFull, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			networks := map[string]*v1alpha1.L2Network{"a": networkOf("a"), "b": networkOf("b"), "link": link("link")}
			p := placementOf(networks["a"], networks["b"], networks["link"])
			a := portOf("x")
			if _, err := p.ledger.Take(admission.Ask{Network: networks["a"], Attachment: a}); err != nil {
				t.Fatal(err)
			}
			a.Status.Network = &v1alpha1.NetworkReference{Namespace: "lab", Name: "a"}
			tc.change(a)
			if tc.full != "" {
				fill(t, p, networks[tc.full])
			}
			f, err := p.gather(t.Context(), a, tc.pod, nil)
			if err != nil {
				t.Fatal(err)
			}

			at, err := p.take(f)

			if err != nil {
				t.Fatal(err)
			}
			on, refused := "", ""
			if at.on() {
				on = at.Network.Name
			}
			if at.refused != nil {
				refused = at.refused.Reason
			}
			if on != tc.on || refused != tc.refuse {
				t.Errorf("%s: on %q, refused with %q, want %q and %q", tc.reason, on, refused, tc.on, tc.refuse)
			}
			var leases []string
			for _, key := range p.ledger.On(a) {
				leases = append(leases, key.Name)
			}
			if diff := cmp.Diff(tc.leases, leases); diff != "" {
				t.Errorf("%s: leases: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// What is no refusal changes nothing: the place is asked for again.
func TestTakePlaceFails(t *testing.T) {
	n := networkOf("a")
	p := placementOf(n)
	a := portOf("x")
	if _, err := p.ledger.Take(admission.Ask{Network: n, Attachment: a}); err != nil {
		t.Fatal(err)
	}
	f := placeFacts{attachment: a, names: candidate{network: n}, asked: func() (ipam.Request, error) { return ipam.Request{}, errBroken }}
	if at, err := p.take(f); !errors.Is(err, errBroken) || at.on() || len(p.ledger.On(a)) != 1 {
		t.Errorf("got %v, %v, leases on %v", at, err, p.ledger.On(a))
	}
	p.cached = &shelf{broken: errBroken}
	if _, err := p.gather(t.Context(), a, podX, nil); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
