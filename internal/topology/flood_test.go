//go:build integration

package topology_test

import (
	"net"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// OVN learns from a port without port security, and from no other; once its
// attachment says that it has flooded OVN, from that one neither.
func TestFlood(t *testing.T) {
	l := start(t).lab(t, v1alpha1.L2NetworkSpec{PortSecurity: v1alpha1.PortSecurityDisabled, AllowPortSecurityOverride: true})
	southbound, err := ovn.DialSouthbound(t.Context(), ovn.Config{Endpoints: []string{l.Southbound()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(southbound.Close)
	attacker, victim := l.pod(t, 1), l.pod(t, 2)
	heard := listen(t, victim)
	const many = ovn.MaxLearned + 50
	flood := func(from endpoint, series byte) {
		t.Helper()
		for i := range many {
			frame := ether(broadcast, net.HardwareAddr{2, 9, series, byte(i >> 8), byte(i), 1}, 0x88b5, nil)
			send(t, from, frame)
		}
		heard.arrives(t, from, ether(broadcast, from.mac, 0x88b7, []byte{series}))
	}
	rows := func(series string) int {
		return strings.Count(l.SB("--bare", "--columns=mac", "list", "FDB"), "02:09:"+series)
	}

	held := l.pod(t, 3, func(s *v1alpha1.L2AttachmentSpec) { s.PortSecurity = v1alpha1.PortSecurityMAC })
	flood(held, 3)
	flood(attacker, 1)
	eventually(t, func() bool { return rows("01") > ovn.MaxLearned }, "OVN learns")
	if n := rows("03"); n > 0 {
		t.Errorf("OVN has learned %d addresses of a port with port security", n)
	}
	stopped := v1alpha1.LearningStopped(ovn.MaxLearned, 0)
	stopped.LastTransitionTime = metav1.Now()
	l.attachments[0].Status.Conditions = []metav1.Condition{stopped}
	l.apply(t)
	l.NB("--wait=hv", "sync")
	eventually(t, func() bool {
		names, err := southbound.Unlearn(t.Context())
		if err != nil || len(names) > 0 && names[0] != l.attachments[0].PortName() {
			t.Fatalf("the ports that flooded are %q, error %v", names, err)
		}
		return rows("01") == 0
	}, "it forgets")

	flood(attacker, 2)
	l.NB("--wait=hv", "sync")
	if n := rows("02"); n > 0 {
		t.Errorf("OVN has learned %d addresses of a port that flooded it", n)
	}
}
