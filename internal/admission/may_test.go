package admission

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// crowd are a network's members, by name.
type crowd []types.NamespacedName

func (c crowd) Has(a types.NamespacedName) bool { return slices.Contains(c, a) }
func (c crowd) Len() int                        { return len(c) }
func (c crowd) Names() []string                 { return []string{"default/a", "default/b"} }

func (c crowd) Guests(namespace string) (n int) {
	for _, a := range c {
		if a.Namespace == namespace {
			n++
		}
	}
	return n
}

// TestMay is every reason that May has to refuse, for each of those that it is
// asked for.
func TestMay(t *testing.T) {
	const (
		joins = iota // of the network's namespace, new
		member
		visits // of another namespace, new
		guest  // of another namespace, a member
	)
	type verdict [4]string
	const (
		yes     = ""
		going   = v1alpha1.ReasonNetworkGone
		refused = v1alpha1.ReasonNotAllowed
		full    = v1alpha1.ReasonLinkFull
		tooMany = v1alpha1.ReasonTooMany
		noRole  = v1alpha1.ReasonRoleNotAllowed
	)
	all := func(n *v1alpha1.L2Network) { n.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll }
	deleting := func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	link := func(n *v1alpha1.L2Network) { n.Spec.Type = v1alpha1.VLink }
	one := func(n *v1alpha1.L2Network) { n.Spec.AllowedNamespaces.MaxAttachments = 1 }
	disabled := func(a *v1alpha1.L2Attachment) { a.Spec.PortSecurity = v1alpha1.PortSecurityDisabled }
	router := func(a *v1alpha1.L2Attachment) { a.Spec.Roles = []v1alpha1.Role{v1alpha1.RoleRouter} }
	assigns := func(n *v1alpha1.L2Network) { n.Spec.IPAM = &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}} }
	gives := func(roles ...v1alpha1.Role) func(*v1alpha1.L2Network) {
		return func(n *v1alpha1.L2Network) { n.Spec.AllowedRoles = &roles }
	}
	own, other := key("lab", "x"), key("guests", "x")
	two := crowd{key("lab", "a"), key("lab", "b")}
	cases := map[string]struct {
		reason  string
		network []func(*v1alpha1.L2Network)
		asks    func(*v1alpha1.L2Attachment)
		goes    bool
		others  crowd
		want    verdict
	}{
		"Plain":            {reason: "a network is its own namespace's, and no guest's", want: verdict{yes, yes, refused, refused}},
		"All":              {reason: "unless it says so", network: []func(*v1alpha1.L2Network){all}, want: verdict{yes, yes, yes, yes}},
		"Goes":             {reason: "it goes with its namespace, whoever is there", network: []func(*v1alpha1.L2Network){all, deleting}, goes: true, want: verdict{going, going, going, going}},
		"Deleting":         {reason: "its owner waits for his own members only", network: []func(*v1alpha1.L2Network){all, deleting}, want: verdict{going, yes, going, going}},
		"DeletingShut":     {reason: "that it is being deleted is said first: to be let in would not help", network: []func(*v1alpha1.L2Network){deleting}, want: verdict{going, yes, going, going}},
		"LinkFull":         {reason: "two ends, and those that have one keep it", network: []func(*v1alpha1.L2Network){all, link}, others: two, want: verdict{full, yes, full, yes}},
		"LinkHasRoom":      {reason: "one end is left", network: []func(*v1alpha1.L2Network){all, link}, others: two[:1], want: verdict{yes, yes, yes, yes}},
		"NotALink":         {reason: "a vnet has no ends", network: []func(*v1alpha1.L2Network){all}, others: two, want: verdict{yes, yes, yes, yes}},
		"GuestsFull":       {reason: "the bound is each guest namespace's, and the network's own has none", network: []func(*v1alpha1.L2Network){all, one}, others: crowd{key("lab", "a"), key("guests", "a")}, want: verdict{yes, yes, tooMany, yes}},
		"OthersFull":       {reason: "others' guests don't count", network: []func(*v1alpha1.L2Network){all, one}, others: crowd{key("more", "a"), key("more", "b")}, want: verdict{yes, yes, yes, yes}},
		"LinkBeforeGuests": {reason: "what the network lacks for all is said first", network: []func(*v1alpha1.L2Network){all, one, link}, others: crowd{key("lab", "a"), key("guests", "a")}, want: verdict{full, yes, full, yes}},
		"Override":         {reason: "a choice that the network does not give", network: []func(*v1alpha1.L2Network){all}, asks: disabled, want: verdict{refused, refused, refused, refused}},
		"OverrideSame":     {reason: "asking for what one gets anyway is no override", network: []func(*v1alpha1.L2Network){all}, asks: func(a *v1alpha1.L2Attachment) { a.Spec.PortSecurity = v1alpha1.PortSecurityMAC }, want: verdict{yes, yes, yes, yes}},
		"OverrideAllowed":  {reason: "a choice that it gives", network: []func(*v1alpha1.L2Network){all, func(n *v1alpha1.L2Network) { n.Spec.AllowPortSecurityOverride = true }}, asks: disabled, want: verdict{yes, yes, yes, yes}},
		"Role":             {reason: "where pods choose their addresses, they route as they like", network: []func(*v1alpha1.L2Network){all}, asks: router, want: verdict{yes, yes, yes, yes}},
		"RoleOfIPAM":       {reason: "where the network gives addresses, it gives routes", network: []func(*v1alpha1.L2Network){all, assigns}, asks: router, want: verdict{noRole, noRole, noRole, noRole}},
		"RoleGiven":        {reason: "unless it gives the role away", network: []func(*v1alpha1.L2Network){all, assigns, gives(v1alpha1.RoleRouter)}, asks: router, want: verdict{yes, yes, yes, yes}},
		"RoleOther":        {reason: "another role is another", network: []func(*v1alpha1.L2Network){all, assigns, gives(v1alpha1.RoleDHCPServer)}, asks: router, want: verdict{noRole, noRole, noRole, noRole}},
		"RoleNone":         {reason: "an empty list is none, with ipam or without", network: []func(*v1alpha1.L2Network){all, gives()}, asks: router, want: verdict{noRole, noRole, noRole, noRole}},
	}
	for name, tc := range cases {
		for who, want := range tc.want {
			t.Run(name+[]string{"/joins", "/member", "/visits", "/guest"}[who], func(t *testing.T) {
				network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net"}}
				for _, change := range tc.network {
					change(network)
				}
				a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: own.Namespace, Name: own.Name}}
				if who >= visits {
					a.Namespace = other.Namespace
				}
				if tc.asks != nil {
					tc.asks(a)
				}
				members := tc.others
				if who == member || who == guest {
					members = append(slices.Clone(members), a.Key())
				}

				err := May(network, a, Surroundings{NetworkGoes: tc.goes}, members)

				expectReason(t, tc.reason, want, err)
				refusal, is := AsRefusal(err)
				if keeps := is && refusal.Keeps; keeps != (is && tc.asks != nil && members.Has(a.Key())) {
					t.Errorf("%s: the port is kept: %t", tc.reason, keeps)
				}
				if is && refusal.Type != v1alpha1.ConditionAccepted {
					t.Errorf("%s: %v is no condition Accepted", tc.reason, refusal.Condition)
				}
			})
		}
	}
}

func TestMayUse(t *testing.T) {
	team := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}
	bad := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "in", Values: []string{"red"}}}}
	from := func(from v1alpha1.FromNamespaces, s *metav1.LabelSelector) v1alpha1.AllowedNamespaces {
		return v1alpha1.AllowedNamespaces{From: from, Selector: s}
	}
	cases := map[string]struct {
		reason    string
		allowed   v1alpha1.AllowedNamespaces
		namespace string
		labels    labels.Set
		want      string
	}{
		"Own":           {"a network is its own namespace's", from(v1alpha1.NamespacesFromSame, nil), "lab", nil, ""},
		"Default":       {"and no other's, unless it says so", v1alpha1.AllowedNamespaces{}, "other", nil, v1alpha1.ReasonNotAllowed},
		"All":           {"All is all", from(v1alpha1.NamespacesFromAll, nil), "other", nil, ""},
		"Selected":      {"labels decide", from(v1alpha1.NamespacesFromSelector, team), "other", labels.Set{"team": "red"}, ""},
		"NotSelected":   {"labels decide", from(v1alpha1.NamespacesFromSelector, team), "other", labels.Set{"team": "blue"}, v1alpha1.ReasonNotAllowed},
		"NoLabels":      {"a namespace without labels has none that is selected", from(v1alpha1.NamespacesFromSelector, team), "other", nil, v1alpha1.ReasonNotAllowed},
		"OwnUnselected": {"who may write the network may attach to it, whatever it selects", from(v1alpha1.NamespacesFromSelector, team), "lab", nil, ""},
		"NoSelector":    {"Selector without one selects none", from(v1alpha1.NamespacesFromSelector, nil), "other", nil, v1alpha1.ReasonNotAllowed},
		"BadSelector":   {"nor does one that can't be read", from(v1alpha1.NamespacesFromSelector, bad), "other", labels.Set{"team": "red"}, v1alpha1.ReasonNotAllowed},
		"OwnBadOne":     {"which shuts the owner out as little", from(v1alpha1.NamespacesFromSelector, bad), "lab", nil, ""},
		"Unknown":       {"a word of a later version lets none in", from("Everybody", nil), "other", nil, v1alpha1.ReasonNotAllowed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "net"}}
			network.Spec.AllowedNamespaces = tc.allowed
			a := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: tc.namespace, Name: "a"}}
			expectReason(t, tc.reason, tc.want, May(network, a, Surroundings{Labels: tc.labels}, crowd{}))
		})
	}
}

func TestMayJoin(t *testing.T) {
	now := metav1.Now()
	large, fits := int32(1443), int32(1442)
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.L2Network)
		asked  v1alpha1.PortSecurity
		want   string
	}{
		"Yes":             {"a plain network takes all of its namespace", func(*v1alpha1.L2Network) {}, "", ""},
		"Deleting":        {"who comes now would keep it from going", func(n *v1alpha1.L2Network) { n.DeletionTimestamp = &now }, "", v1alpha1.ReasonNetworkGone},
		"LargeMTU":        {"frames would be lost silently", func(n *v1alpha1.L2Network) { n.Spec.MTU = &large }, "", v1alpha1.ReasonNotAccepted},
		"FittingMTU":      {"1500 less 58", func(n *v1alpha1.L2Network) { n.Spec.MTU = &fits }, "", ""},
		"Override":        {"a choice that the network does not give", func(*v1alpha1.L2Network) {}, v1alpha1.PortSecurityDisabled, v1alpha1.ReasonNotAllowed},
		"OverrideSame":    {"asking for what one gets anyway is no override", func(*v1alpha1.L2Network) {}, v1alpha1.PortSecurityMAC, ""},
		"OverrideAllowed": {"a choice that it gives", func(n *v1alpha1.L2Network) { n.Spec.AllowPortSecurityOverride = true }, v1alpha1.PortSecurityDisabled, ""},
		"BackwardsRange": {"what CEL does not see is seen here", func(n *v1alpha1.L2Network) {
			n.Spec.IPAM = &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}, Ranges: []string{"10.0.0.9-10.0.0.1"}}
		}, "", v1alpha1.ReasonNotAccepted},
		"BadSelector": {"a selector that can't be read puts nothing into force", func(n *v1alpha1.L2Network) {
			n.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "in"}}}}
		}, "", v1alpha1.ReasonNotAccepted},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			network := net("net")
			tc.change(network)
			l, _ := opened(network)
			a := asks(owner, "", "net")
			a.Spec.PortSecurity = tc.asked
			_, err := l.Take(Ask{Network: network, Attachment: a})
			expectReason(t, tc.reason, tc.want, err)
		})
	}
}
