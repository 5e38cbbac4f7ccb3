package lab

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewPlan(t *testing.T) {
	got, err := newPlan("dev", 2)
	if err != nil {
		t.Fatal(err)
	}
	want := plan{Name: "dev", Nodes: []nodePlan{
		{
			Name: "n1", Namespace: "dev-n1", IP: "10.250.0.11", TunnelIP: "10.251.0.11",
			MAC: "02:00:0a:fa:00:0b", TunnelMAC: "02:00:0a:fb:00:0b", PodCIDR: "10.244.1.0/24",
		},
		{
			Name: "n2", Namespace: "dev-n2", IP: "10.250.0.12", TunnelIP: "10.251.0.12",
			MAC: "02:00:0a:fa:00:0c", TunnelMAC: "02:00:0a:fb:00:0c", PodCIDR: "10.244.2.0/24",
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("newPlan (-want +got):\n%s", diff)
	}
}

func TestNewPlanRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		name   string
		nodes  int
	}{
		"NoName":         {"without a name its parts could not be told from other programs'", "", 1},
		"TrailingDash":   {"names end as they do everywhere in Kubernetes", "dev-", 1},
		"NameTooLong":    {"names of namespaces are bounded", "abcdefghijklmnopqrstuvwxyzabcde", 1},
		"LeadingDigit":   {"a name starts with a letter", "1a", 1},
		"UpperCase":      {"names are lower case, as everywhere in Kubernetes", "Dev", 1},
		"NoNodes":        {"a cluster without nodes runs nothing", "dev", 0},
		"TooManyOfThem":  {"the addresses of nodes would leave their network", "dev", 201},
		"NegativeNumber": {"a flag may carry anything", "dev", -1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := newPlan(tc.name, tc.nodes); err == nil {
				t.Errorf("newPlan(%q, %d) succeeds: %s", tc.name, tc.nodes, tc.reason)
			}
		})
	}
}

func TestPlanOwns(t *testing.T) {
	cases := map[string]struct {
		reason string
		part   string
		want   bool
	}{
		"Fabric":           {"the bridges' namespace", "dev-fabric", true},
		"ControlPlane":     {"the API server's namespace", "dev-cp", true},
		"Node":             {"a node's namespace", "dev-n1", true},
		"WAN":              {"the network between it and others, which was made for it", "dev-wan", true},
		"NodeBeyondPlan":   {"the cluster may have been larger once", "dev-n17", true},
		"OtherCluster":     {"a cluster must not remove another's parts", "dev2-n1", false},
		"LongerCluster":    {"a cluster's name may begin with another's", "dev-n1-cp", false},
		"OtherProgram":     {"a namespace of the same prefix may be anybody's", "dev-network", false},
		"NodeWithSuffix":   {"what looks like a node only at first", "dev-n1a", false},
		"PrefixOnly":       {"no part at all", "dev-", false},
		"NodeWithNoNumber": {"no node", "dev-n", false},
	}
	p, err := newPlan("dev", 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := p.owns(tc.part); got != tc.want {
				t.Errorf("owns(%q) = %v, want %v: %s", tc.part, got, tc.want, tc.reason)
			}
		})
	}
}

func TestPlanNode(t *testing.T) {
	p, err := newPlan("dev", 2)
	if err != nil {
		t.Fatal(err)
	}
	n, err := p.node("n2")
	if err != nil || n.IP != "10.250.0.12" {
		t.Errorf("node(n2) = %+v, %v", n, err)
	}
	_, err = p.node("n3")
	if want := `no node "n3": there are n1, n2`; err == nil || err.Error() != want {
		t.Errorf("node(n3): %v, want %q", err, want)
	}
}
