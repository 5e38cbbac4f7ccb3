package peers_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"l2sm.io/l2sm/internal/peers"
)

func TestSubnets(t *testing.T) {
	cases := map[string]struct {
		reason, config string
		want           []string
		foreign        bool
	}{
		"Layer2":   {"as a UserDefinedNetwork makes it", `{"cniVersion":"1.0.0","name":"ns_net","type":"ovn-k8s-cni-overlay","topology":"layer2","netAttachDefName":"ns/net","subnets":"10.1.0.0/16,fd01::/64","joinSubnet":"100.65.0.0/16"}`, []string{"10.1.0.0/16", "fd01::/64"}, false},
		"Layer3":   {"each node gets a part", `{"type":"ovn-k8s-cni-overlay","topology":"layer3","subnets":"10.1.0.0/16/24, fd01::/48/64"}`, []string{"10.1.0.0/16", "fd01::/48"}, false},
		"List":     {"a list of the one plugin", `{"name":"x","plugins":[{"type":"ovn-k8s-cni-overlay","subnets":"10.1.0.0/16"}]}`, []string{"10.1.0.0/16"}, false},
		"Bare":     {"without addresses the name is theirs all the same", `{"type":"ovn-k8s-cni-overlay"}`, nil, false},
		"HostBits": {"bits behind the prefix do not hide it", `{"type":"ovn-k8s-cni-overlay","subnets":"10.1.2.3/16"}`, []string{"10.1.0.0/16"}, false},
		"Odd":      {"what is no subnet is left out", `{"type":"ovn-k8s-cni-overlay","subnets":"10.1.0.0,/,10.1.0.0/99,:::/0,,fd01::/64"}`, []string{"fd01::/64"}, false},
		"Other":    {"another plugin's", `{"type":"macvlan","subnets":"10.1.0.0/16"}`, nil, true},
		"Chain":    {"OVN-Kubernetes takes no chains", `{"name":"x","plugins":[{"type":"ovn-k8s-cni-overlay"},{"type":"tuning"}]}`, nil, true},
		"Broken":   {"no JSON", `{"type":"ovn-k8s-cni-overlay"`, nil, true},
		"Typed":    {"OVN-Kubernetes does not take it either", `{"type":"ovn-k8s-cni-overlay","subnets":["10.1.0.0/16"]}`, nil, true},
		"Empty":    {"nothing", ``, nil, true},
		"Large":    {"no more is read than a config may need", `{"type":"ovn-k8s-cni-overlay","subnets":"` + strings.Repeat("10.1.0.0/16,", 10_000) + `"}`, nil, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			subnets, theirs := peers.Subnets(tc.config)
			if diff := cmp.Diff(tc.want, texts(subnets)); diff != "" || theirs == tc.foreign {
				t.Errorf("%s: theirs %t (-want +got):\n%s", tc.reason, theirs, diff)
			}
		})
	}
}

func texts(subnets []netip.Prefix) (all []string) {
	for _, subnet := range subnets {
		all = append(all, subnet.String())
	}
	return all
}

// Of a hostile list the first few are kept.
func TestSubnetsAreBounded(t *testing.T) {
	subnets, theirs := peers.Subnets(`{"type":"ovn-k8s-cni-overlay","subnets":"` + strings.Repeat("10.1.0.0/16,", 4000) + `"}`)
	if len(subnets) != 8 || !theirs {
		t.Errorf("%d subnets are kept, theirs %t", len(subnets), theirs)
	}
}

// FuzzSubnets: whatever is read, its brief form says the same.
func FuzzSubnets(f *testing.F) {
	f.Add(`{"type":"ovn-k8s-cni-overlay","subnets":"10.1.0.0/16/24,fd01::1%eth0/64,::ffff:10.0.0.0/100"}`)
	f.Add(`{"plugins":[{"type":"ovn-k8s-cni-overlay","subnets":"0.0.0.0/0"}]}`)
	f.Fuzz(func(t *testing.T, config string) {
		subnets, theirs := peers.Subnets(config)
		if !theirs {
			return
		}
		again, is := peers.Subnets(peers.Brief(subnets))
		if diff := cmp.Diff(texts(subnets), texts(again)); diff != "" || !is {
			t.Errorf("%q (-first +again):\n%s", config, diff)
		}
	})
}
