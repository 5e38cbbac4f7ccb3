//go:build integration

package agent_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
)

// strict has OVN drop what an attachment's interface sends from other addresses
// than its own.
func (w *world) strict(a *v1alpha1.L2Attachment) {
	w.t.Helper()
	w.NB("lsp-set-port-security", "l2sm/"+a.Namespace+"/"+a.Name, a.Spec.MACAddress+" "+a.Spec.Addresses[0]+" "+a.Spec.Addresses[1])
}

// Both interfaces of a pod on one network can be reached, by both families,
// though what a pod sends goes by one route.
func TestTwoInterfacesInOneSubnet(t *testing.T) {
	w := start(t)
	w.network("one")
	pod := w.pod("ping", "one, one")
	first, second := w.attach(pod, "one", "net1", 1), w.attach(pod, "one", "net2", 2)
	ping := w.sandbox(pod, "c-ping")
	ping.add()
	ping.is(true)
	pong := w.running("pong")
	b := w.attach(pong.pod, "one", "net1", 3)
	w.becomes(b, "True Ready", "it is attached")
	for _, a := range []*v1alpha1.L2Attachment{first, second, b} {
		w.strict(a)
	}
	reachable := func(reason string, addresses ...string) {
		t.Helper()
		for _, address := range addresses {
			t.Log(reason, address)
			transfer(t, pong, ping, address)
		}
	}
	reachable("an ADD wires both", "10.0.0.1", "10.0.0.2", "fd10::1", "fd10::2")
	ping.ok("CHECK")

	hot := w.attach(pod, "one", "hot0", 4)
	w.strict(hot)
	w.becomes(hot, "True Ready", "a third is plugged in")
	reachable("the watch plugs in a third", "10.0.0.4", "fd10::4", "10.0.0.2", "fd10::1")
	ping.ok("CHECK")

	g := NewWithT(t)
	w.deleteNow(hot)
	g.Eventually(ping.missing("hot0"), patience, "5ms").Should(BeTrue())
	g.Eventually(ping.rules, patience, "5ms").Should(Equal(4), "the rules of the third go with it")
	nstest.Do(t, ping.netns, func() error { return netlink.RuleDel(ping.anyRule()) })
	ping.fails("CHECK", 999, "lacks the rule")
	w.deleteNow(second)
	g.Eventually(ping.rules, patience, "5ms").Should(Equal(0), "one alone needs none")
	reachable("the first is as it was", "10.0.0.1", "fd10::1")
	if _, err := link.Inspect(ping.netns, "net1"); err != nil {
		t.Error(err)
	}
}

// laneRules are the sandbox's rules that l2sm made: ip rule list proto 108.
func (s *sandbox) laneRules() (all []netlink.Rule) {
	s.t.Helper()
	const ours = 0x6c
	nstest.Do(s.t, s.netns, func() error {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			rules, err := netlink.RuleList(family)
			if err != nil {
				return err
			}
			for _, r := range rules {
				if r.Protocol == ours {
					r.Family = family
					all = append(all, r)
				}
			}
		}
		return nil
	})
	return all
}

func (s *sandbox) rules() int { return len(s.laneRules()) }

func (s *sandbox) anyRule() *netlink.Rule {
	rules := s.laneRules()
	return &rules[0]
}
